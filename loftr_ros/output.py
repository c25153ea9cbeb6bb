"""The folder that results are written to, and what goes wrong there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loftr_ros.errors import LoftrRosError


class OutputError(LoftrRosError):
    """A file or folder that cannot be written."""


def make_folder(path: Path, *files: str) -> None:
    """Make a folder and those above it, and check at once that results can be written there, not after hours of work.

    Args:
        path: the folder.
        files: names of the results.

    Raises:
        OutputError: the folder cannot be made or written to, or a folder has the name of a result.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The output folder {path} cannot be made: {error.strerror}.") from error
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OutputError(f"The output folder {path} cannot be written to: {error.strerror}.") from error
    for name in files:
        if (path / name).is_dir():
            raise OutputError(f"{path / name} is a folder, but a result has to go there: remove it.")


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield the file to write, which takes the place of `path` when it is whole: until then the old one stays.

    Raises:
        OutputError: it cannot be written; the message names `path`.
    """
    try:
        target = Path(os.path.realpath(path))  # a link stays one
        if target.exists() and not target.is_file():  # a device, or a pipe
            yield path
            return
        part = target.with_name(f"{target.stem}.part{path.suffix}")
        try:
            yield part
            part.replace(target)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
