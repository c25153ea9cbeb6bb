"""`loftr-ros weights`: which weights there are, what is in a file of weights, and getting the published ones."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.weights.pretrained import (
    AUTHORS_FOLDER,
    EMBEDDED,
    LICENCE,
    PUBLISHED,
    Published,
    digests,
    record_digest,
    recorded_digest,
)
from loftr_ros.output import make_folder

if TYPE_CHECKING:
    from loftr_ros.loftr.network.config import LoFTRConfig
    from loftr_ros.loftr.weights.checkpoints import Checkpoint
    from loftr_ros.loftr.weights.state_dict import Difference

Rows = Iterable[tuple[str, str]]


class WeightsError(LoftrRosError):
    """Published weights that cannot be had, or a file that is not what it is given for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the three commands of this one."""
    commands = parser.add_subparsers(metavar="list|info|fetch", required=True)
    listing = commands.add_parser("list", help="list the weights that have a name, and where they are")
    listing.set_defaults(action=_list)
    info = commands.add_parser("info", help="say what is in a checkpoint, and key by key what does not fit")
    info.add_argument("checkpoint", metavar="NAME|FILE|PRESET=FILE", help="as for --checkpoint of the other commands")
    info.set_defaults(action=_info)
    fetch = commands.add_parser("fetch", help="download published weights, or take them from a file")
    fetch.add_argument("name", choices=PUBLISHED, help="which")
    fetch.add_argument("--from", dest="source", metavar="FILE|URL", help="take this instead of the known sources")
    fetch.add_argument("--output", type=Path, metavar="FILE", help="put them there instead of the cache")
    fetch.add_argument("--no-progress", action="store_true", help="show no progress bar")
    fetch.set_defaults(action=_fetch)


def main(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    args.action(args)
    return 0


def _list(args: argparse.Namespace) -> None:
    rows = [("compact", "rendered scenes, dual-softmax", _megabytes(EMBEDDED), LICENCE, "inside the package")]
    for entry in PUBLISHED.values():
        here = entry.stored.is_file()
        size = _megabytes(entry.stored) if here else f"{entry.megabytes} MB"
        rows.append((entry.name, entry.trained_on, size, LICENCE, str(entry.stored) if here else "not here"))
    _print_table(("name", "trained on", "size", "licence", "where"), rows)


def _info(args: argparse.Namespace) -> None:
    from loftr_ros.loftr.weights.checkpoints import read_checkpoint
    from loftr_ros.loftr.weights.state_dict import CheckpointError, describe

    if entry := PUBLISHED.get(args.checkpoint):
        _print_table((), _known(entry))
        if not entry.stored.is_file():
            print(f"The file is not here: loftr-ros weights fetch {entry.name}")
            return
        print()
    checkpoint = read_checkpoint(args.checkpoint)
    said = ((key, value) for key, value in checkpoint.header.items() if key != "config")  # the rows above tell it
    _print_table((), [*_content(checkpoint), *_identity(checkpoint.path), *said])
    if different := checkpoint.differences():
        _print_table(("key", "expected", "in the file"), map(_cells, different))
        raise CheckpointError(f"{checkpoint.path} does not fit its network, it {describe(different)}")


def _fetch(args: argparse.Namespace) -> None:
    from loftr_ros.download import DownloadError, fetch, place

    entry, target = PUBLISHED[args.name], args.output or PUBLISHED[args.name].stored
    make_folder(target.parent)
    check = _checker(entry, recorded_digest(target))
    sources = entry.sources if args.source is None else (args.source,)
    if args.source is None and target.is_file() and _passes(check, target):
        print(f"{target} is here already and unchanged")
        return
    if args.source is not None and "://" not in args.source:
        place(Path(args.source), target, check)
    else:
        by_hand = (
            f"get {entry.file_name} from {AUTHORS_FOLDER} by hand "
            f"and give it with `loftr-ros weights fetch {entry.name} --from FILE`"
        )
        if not sources:
            raise WeightsError(f"no address of the {entry.name} weights is known that a program can use: {by_hand}")
        try:
            with _progress(not args.no_progress) as report:
                fetch(sources, target, check, report)
        except DownloadError as error:
            raise WeightsError(f"{error}; {by_hand}") from error
    print(f"{target}\n{record_digest(target)}")
    print(f"use it with --checkpoint {entry.name if args.output is None else f'{entry.name}={target}'}")


def _checker(entry: Published, recorded: frozenset[str]) -> Callable[[Path], None]:
    """Make the check that a file has to pass: a known digest, else the one of its first fetch, and a strict load."""
    from loftr_ros.loftr.weights.checkpoints import read_checkpoint
    from loftr_ros.loftr.weights.state_dict import describe

    expected = entry.digests or recorded

    def check(path: Path) -> None:
        if not path.is_file():
            raise WeightsError(f"{path} is no file")
        found = digests(path)
        if expected and expected.isdisjoint(found):
            which = f"the published {entry.file_name}" if entry.digests else f"the {entry.name} file fetched first"
            raise WeightsError(f"{path} is not {which}: its digest is {found[0]}")
        if different := read_checkpoint(f"{entry.name}={path}").differences():
            raise WeightsError(f"{path} does not fit the {entry.name} network, it {describe(different)}")

    return check


def _passes(check: Callable[[Path], None], path: Path) -> bool:
    try:
        check(path)
    except LoftrRosError:
        return False
    return True


def _known(entry: Published) -> Rows:
    """What can be said of published weights without their file."""
    from loftr_ros.loftr.network.config import preset

    yield "weights", f"LoFTR (arXiv 2104.00680) trained on {entry.trained_on}"
    yield "licence", LICENCE
    yield "position encoding", _position_encoding(preset(entry.name))
    yield "file of the authors", entry.file_name
    for digest in sorted(entry.digests, reverse=True):
        yield "known digest", digest
    if not entry.digests:
        yield "known digest", "none: the file is checked by a strict load, and recorded at its first fetch"
    for source in entry.sources or (f"{AUTHORS_FOLDER} (by hand)",):
        yield "source", source


def _content(checkpoint: Checkpoint) -> Rows:
    """What is in a file, and which network it is for."""
    from loftr_ros.loftr.network.config import preset

    config = checkpoint.config
    presets = [name for name in ("compact", *PUBLISHED) if preset(name) == config]
    parameters = sum(parameter.numel() for parameter in checkpoint.network().parameters())
    yield "file", f"{checkpoint.path} ({_megabytes(checkpoint.path)})"
    yield "preset", " or ".join(presets) or "none: the configuration is its own"
    yield "backbone", f"ResNet-FPN, {'-'.join(map(str, config.backbone.block_dims))} channels"
    for level, part in (("coarse", config.coarse), ("fine", config.fine)):
        yield f"{level} transformer", f"{len(part.layers)} layers of {part.attention} attention, {part.dim} channels"
    yield "coarse matching", config.matching.kind.replace("_", " ")
    yield "position encoding", _position_encoding(config)
    yield "parameters", f"{parameters:,}"
    yield "types", ", ".join(sorted({str(value.dtype).removeprefix("torch.") for value in checkpoint.state.values()}))


def _position_encoding(config: LoFTRConfig) -> str:
    return "as in the authors' first release" if config.legacy_position_encoding else "corrected"


def _identity(path: Path) -> Rows:
    """How a file is told from others, and whether it is a published one."""
    found = digests(path)
    for digest in found:
        yield "digest", digest
    known = [entry for entry in PUBLISHED.values() if not entry.digests.isdisjoint(found)]
    for entry in known:
        yield "published", f"as {entry.file_name}, by its digest"
    if not known and (recorded := recorded_digest(path)):
        changed = recorded.isdisjoint(found)
        yield (
            "as fetched",
            "no, it has changed since" if changed else "yes, but the authors published no digest",
        )


def _cells(difference: Difference) -> tuple[str, str, str]:
    def shape(of: tuple[int, ...] | None) -> str:
        return "missing" if of is None else " x ".join(map(str, of)) or "one value"

    return difference.key, shape(difference.expected), shape(difference.found)


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _print_table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns, show_header=bool(columns), box=None)
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=1000, soft_wrap=True).print(table)  # the terminal may break lines, but no digest or path is cut


@contextmanager
def _progress(shown: bool) -> Iterator[Callable[[int, int | None], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(30), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total)
