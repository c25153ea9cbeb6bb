"""`loftr-ros weights`: list pretrained weights, describe checkpoints, fetch published weights."""

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
    LICENSE,
    PRETRAINED,
    PretrainedWeights,
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
    """Published weights that cannot be fetched, or a file that fails the check."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    commands = parser.add_subparsers(metavar="list|info|fetch", required=True)
    listing = _add_command(commands, "list", "list pretrained weights and their files")
    listing.set_defaults(action=_list)
    info = _add_command(commands, "info", "describe a checkpoint, and list keys that do not fit")
    info.add_argument("checkpoint", metavar="NAME|FILE|PRESET=FILE", help="as for --checkpoint of the other commands")
    info.set_defaults(action=_info)
    fetch = _add_command(commands, "fetch", "download published weights, or import them from a file")
    fetch.add_argument("name", choices=PRETRAINED, help="name of the weights")
    fetch.add_argument("--from", dest="source", metavar="FILE|URL", help="use this instead of the known sources")
    fetch.add_argument("--output", type=Path, metavar="FILE", help="destination (default: the cache)")
    fetch.add_argument("--no-progress", action="store_true", help="hide the progress bar")
    fetch.set_defaults(action=_fetch)


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")


def main(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    args.action(args)
    return 0


def _list(args: argparse.Namespace) -> None:
    rows = [
        (entry.name, entry.trained_on, _megabytes(entry.path), LICENSE, "inside the package")
        for entry in EMBEDDED.values()
    ]
    for entry in PRETRAINED.values():
        here = entry.stored.is_file()
        size = _megabytes(entry.stored) if here else f"{entry.megabytes} MB"
        rows.append((entry.name, entry.trained_on, size, LICENSE, str(entry.stored) if here else "not fetched"))
    _print_table(("name", "trained on", "size", "license", "where"), rows)


def _info(args: argparse.Namespace) -> None:
    from loftr_ros.loftr.weights.checkpoints import read_checkpoint
    from loftr_ros.loftr.weights.state_dict import CheckpointError, describe

    if entry := PRETRAINED.get(args.checkpoint):
        _print_table((), _describe_pretrained(entry))
        if not entry.stored.is_file():
            print(f"Not fetched yet: loftr-ros weights fetch {entry.name}")
            return
        print()
    checkpoint = read_checkpoint(args.checkpoint)
    metadata = ((key, value) for key, value in checkpoint.header.items() if key != "config")  # shown by the rows above
    _print_table((), [*_content(checkpoint), *_identity(checkpoint.path), *metadata])
    if different := checkpoint.differences():
        _print_table(("key", "expected", "in the file"), map(_cells, different))
        raise CheckpointError(f"{checkpoint.path} does not fit its network, it {describe(different)}")


def _fetch(args: argparse.Namespace) -> None:
    from loftr_ros.download import DownloadError, fetch, place

    entry, target = PRETRAINED[args.name], args.output or PRETRAINED[args.name].stored
    make_folder(target.parent)
    check = _checker(entry, recorded_digest(target))
    sources = entry.sources if args.source is None else (args.source,)
    if args.source is None and target.is_file() and _passes(check, target):
        print(f"{target} exists and is unchanged")
        return
    if args.source is not None and "://" not in args.source:
        place(Path(args.source), target, check)
    else:
        by_hand = (
            f"download {entry.file_name} from {AUTHORS_FOLDER} manually "
            f"and import it with `loftr-ros weights fetch {entry.name} --from FILE`"
        )
        if not sources:
            raise WeightsError(f"there is no direct URL of the {entry.name} weights: {by_hand}")
        try:
            with _progress(not args.no_progress) as report:
                fetch(sources, target, check, report)
        except DownloadError as error:
            raise WeightsError(f"{error}; {by_hand}") from error
    print(f"{target}\n{record_digest(target)}")
    print(f"use it with --checkpoint {entry.name if args.output is None else f'{entry.name}={target}'}")


def _checker(entry: PretrainedWeights, recorded: frozenset[str]) -> Callable[[Path], None]:
    """Create the check of a file: a known digest, or else that of its first fetch, and a strict load."""
    from loftr_ros.loftr.weights.checkpoints import read_checkpoint
    from loftr_ros.loftr.weights.state_dict import describe

    expected = entry.digests or recorded

    def check(path: Path) -> None:
        if not path.is_file():
            raise WeightsError(f"{path} is not a file")
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


def _describe_pretrained(entry: PretrainedWeights) -> Rows:
    """Rows about published weights, available without their file."""
    from loftr_ros.loftr.network.config import preset

    yield "weights", f"LoFTR (arXiv 2104.00680) trained on {entry.trained_on}"
    yield "license", LICENSE
    yield "position encoding", _position_encoding(preset(entry.name))
    yield "file of the authors", entry.file_name
    for digest in sorted(entry.digests, reverse=True):
        yield "known digest", digest
    if not entry.digests:
        yield "known digest", "none: checked by a strict load, and recorded at the first fetch"
    for source in entry.sources or (f"{AUTHORS_FOLDER} (manual download)",):
        yield "source", source


def _content(checkpoint: Checkpoint) -> Rows:
    """Rows about the content and the network of a checkpoint."""
    from loftr_ros.loftr.network.config import preset

    config = checkpoint.config
    presets = [name for name in (*EMBEDDED, *PRETRAINED) if preset(name) == config]
    parameters = sum(parameter.numel() for parameter in checkpoint.network().parameters())
    yield "file", f"{checkpoint.path} ({_megabytes(checkpoint.path)})"
    yield "preset", " or ".join(presets) or "none: custom configuration"
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
    """Rows about the digests of a file, and its published name if known."""
    found = digests(path)
    for digest in found:
        yield "digest", digest
    known = [entry for entry in PRETRAINED.values() if not entry.digests.isdisjoint(found)]
    for entry in known:
        yield "published", f"as {entry.file_name}, by its digest"
    if not known and (recorded := recorded_digest(path)):
        changed = recorded.isdisjoint(found)
        yield (
            "as fetched",
            "no, it has changed since" if changed else "yes (the authors published no digest)",
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
    Console(width=1000, soft_wrap=True).print(table)  # digests and paths may be wrapped, but are not cut


@contextmanager
def _progress(shown: bool) -> Iterator[Callable[[int, int | None], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(30), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total)
