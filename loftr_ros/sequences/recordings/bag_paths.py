"""Finds the files of a bag: a single file, a folder with metadata.yaml, or a folder with the parts of a split bag."""

from __future__ import annotations

import os
import re
from itertools import takewhile
from pathlib import Path

from loftr_ros.errors import shortened
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.validation import refuse_pipe

EXPECTED_FILES = "a bag: .mcap, .db3, .bag, or a folder with metadata.yaml"
METADATA = "metadata.yaml"
_SUFFIXES = (".mcap", ".db3", ".bag")
_PART = re.compile(r"(?P<name>.*?)[_-]?(?P<number>[0-9]+)")  # recording_0
_MAX_HEADER = 1000  # bytes of metadata.yaml that are searched


def is_bag(path: Path) -> bool:
    """Return whether a path is a bag: a file, or a folder with the metadata of one."""
    is_folder = os.path.isdir(path)  # noqa: PTH112  see open_sequence
    return _is_of_bag(path / METADATA) if is_folder else bool(_files(path))


def has_bag_files(folder: Path) -> bool:
    """Return whether a folder has files of bags, as of one without metadata."""
    return bool(_files(folder))


def bag_files(path: Path) -> list[Path]:
    """Return the files or the folder that make up a bag, in order of time.

    Raises:
        SequenceError: there are several bags.
    """
    files = _files(path)
    if len(files) > 1 and not _is_split(files):
        names = shortened(", ".join(file.name for file in files))
        raise SequenceError(f"{path} holds several bags, {names}: give one of them.")
    return files


def _files(path: Path) -> list[Path]:
    if os.path.isfile(path):  # noqa: PTH113  see open_sequence
        is_metadata = path.name == METADATA and _is_of_bag(path)
        return [path.parent] if is_metadata else [path] * (path.suffix.lower() in _SUFFIXES)
    if _is_of_bag(path / METADATA):
        return [path]
    try:
        files = sorted(child for child in path.iterdir() if child.suffix.lower() in _SUFFIXES and child.is_file())
    except OSError:
        return []
    return sorted(files, key=lambda file: (_number(file), file.name))


def _is_of_bag(path: Path) -> bool:
    """Return whether a metadata.yaml describes a bag; one that cannot be read does, as its error is then reported."""
    try:
        refuse_pipe(path)
        with path.open(encoding="utf-8", errors="replace") as file:
            return "rosbag2_bagfile_information" in file.read(_MAX_HEADER)
    except PermissionError:
        return True
    except OSError:
        return False


def _is_split(files: list[Path]) -> bool:
    """Return whether files are parts of one bag: numbered, with one name and one suffix."""
    parts = [match for match in (_PART.fullmatch(file.stem) for file in files) if match]
    kinds = {(match["name"], file.suffix) for match, file in zip(parts, files, strict=False)}
    return len(parts) == len(files) and len(kinds) == 1


def _number(file: Path) -> int:
    return int("0" + "".join(takewhile(str.isdecimal, file.stem[::-1]))[::-1])
