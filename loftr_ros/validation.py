"""The checks that all settings share, and their one sentence: "name is value: it must be ..."."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loftr_ros.errors import LoftrRosError, shortened

_QUOTED = 200  # characters of a value in a message


def require(holds: bool, error: type[LoftrRosError], name: str, value: object, wanted: str) -> None:
    """Raise `error`, with the name, the value and what is `wanted` instead, unless the condition holds."""
    if not holds:
        raise error(f"{name} is {shortened(repr(value), _QUOTED)}: it must be {wanted}")


def require_type(error: type[LoftrRosError], name: str, value: object, kind: type[Any], hint: str = "") -> None:
    """Raise `error` unless the value has this type. An int is a float, too; a bool is no number."""
    kinds = (float, int) if kind is float else (kind,)
    has_type = isinstance(value, kinds) and isinstance(value, bool) == (kind is bool)
    require(has_type, error, name, value, f"{'an' if kind is int else 'a'} {kind.__name__}{hint}")


def user_path(error: type[LoftrRosError], name: str, text: str) -> Path:
    """Return a path with `~` expanded. Raises `error` if that is no user, or the text no path."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        path = None
    require(path is not None and "\0" not in text, error, name, text, "a file of a user of this machine")
    assert path is not None
    return path


def refuse_pipe(path: Path) -> None:
    """Raise OSError for a named pipe, reading which would wait for ever; a pipe of the shell, <(…), is none."""
    if stat.S_ISFIFO(path.stat().st_mode) and os.path.exists(os.path.realpath(path)):  # noqa: PTH110
        raise OSError(errno.ESPIPE, "it is a pipe")


def require_known(error: type[LoftrRosError], names: Iterable[object], known: Iterable[str], where: str = "") -> None:
    """Raise `error` for a name that is not among the known ones; `where` ends the description of it."""
    known = set(known)
    if unknown := sorted(str(name) for name in names if name not in known):
        raise error(f"unknown key {shortened(repr(unknown[0]), _QUOTED)}{where}; known: {', '.join(sorted(known))}")
