"""Output folders and atomic writing of result files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from threading import Condition
from typing import Literal

from loftr_ros.errors import LoftrRosError, shortened
from loftr_ros.validation import refuse_pipe

_changed, _in_work = Condition(), set[Path]()  # files that are being written
REPORT_FILE = "run.json"  # in the folder of a run


class OutputError(LoftrRosError):
    """A file or folder that cannot be written."""


def make_folder(path: Path, *files: str) -> None:
    """Create a folder with its parents, and check that results can be written there before the work starts.

    Args:
        path: the folder.
        files: names of the results.

    Raises:
        OutputError: the folder cannot be created or written to, or a folder or a pipe has the name of a result.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The output folder {path} cannot be created: {error.strerror}.") from error
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OutputError(f"The output folder {path} cannot be written to: {error.strerror}.") from error
    for name in files:
        result = path / name
        if result.is_dir() or result.is_fifo() or result.is_socket():
            kind = "a folder" if result.is_dir() else "a pipe"
            raise OutputError(f"{result} is {kind}, but a result of that name is to be written: remove it.")


def make_new_folder(parent: Path, name: str) -> Path:
    """Create a folder of this name, or of the name and a number if it exists. Raises OutputError."""
    make_folder(parent)
    for number in count():
        folder = parent / (f"{name}_{number}" if number else name)
        try:
            folder.mkdir()  # fails for a folder of another thread or process, also of the same moment
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"The output folder {folder} cannot be created: {error.strerror}.") from error
        return folder
    raise AssertionError


def inside(folder: Path, name: str, parameter: str) -> Path:
    """Return the file of this name in a folder, with symbolic links resolved.

    Args:
        folder: existing or not; `~` is expanded.
        name: relative to the folder, or absolute in it.
        parameter: that sets the name, for the message.

    Raises:
        OutputError: the file is outside of the folder, or `~` names no user.
    """
    try:
        root = Path(os.path.realpath(folder.expanduser()))
    except RuntimeError as error:
        raise OutputError(f"{folder}: there is no such user.") from error
    try:
        path = Path(os.path.realpath(root / Path(name).expanduser()))
        is_inside = path.is_relative_to(root)
    except (RuntimeError, ValueError):  # there is no such user, or a null character
        is_inside = False
    if not is_inside:
        raise OutputError(f"{parameter} is '{shortened(name)}': it must be the name of a file in {folder}.")
    return path


def check_writable(path: Path, mode: Literal["ab", "wb"]) -> None:
    """Open a file that a library will write, which would not tell why it cannot; "ab" keeps an old one until then.

    Raises:
        OutputError: it cannot be written, or is a pipe.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            refuse_pipe(path)
        with path.open(mode):
            pass
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary file that replaces `path` atomically at the end; on an error the old file is kept.

    Threads that write the same file, as two calls of a service, take turns. A device or a pipe is written itself.

    Raises:
        OutputError: the file cannot be written, or nobody reads the pipe; the message names `path`.
    """
    try:
        target = Path(os.path.realpath(path))  # keep symbolic links
        if target.exists() and not target.is_file():  # a device or a pipe
            with _reader_of(target) if target.is_fifo() else nullcontext():
                yield path
            return
        part = target.with_name(f"{target.stem}.part{path.suffix}")
        with _alone(target):
            try:
                yield part
                part.replace(target)
            except BaseException:
                with suppress(OSError):
                    part.unlink()
                raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Wait until no other thread writes this file."""
    with _changed:
        _changed.wait_for(lambda: target not in _in_work)
        _in_work.add(target)
    try:
        yield
    finally:
        with _changed:
            _in_work.remove(target)
            _changed.notify_all()


@contextmanager
def _reader_of(pipe: Path) -> Iterator[None]:
    """Keep a pipe open that is read; raise OSError for another, on which writing would wait for ever."""
    try:
        end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise OSError(error.errno, "nobody reads this pipe") from error
    try:
        yield
    finally:
        os.close(end)
