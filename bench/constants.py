#!/usr/bin/env python3
"""Numeric constants of a package: finds them in the source, and changes one at a time in all modules that use it.

The comment of a constant says what it is, and in a line of its own, where its value is from: its origin.

python bench/constants.py              the constants of the estimator, with value and origin
python bench/constants.py assumed      those of one origin
"""

from __future__ import annotations

import ast
import importlib
import io
import pkgutil
import re
import sys
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ESTIMATOR = "loftr_ros.odometry"
# Not of the estimator: checks of the input, which have margins of their own (docs/reliability.md); sources of metric
# scale; and limits of numerical precision.
NOT_ESTIMATOR = tuple(
    f"{ESTIMATOR}.{name}"
    for name in (
        "checks",
        "scale",
        "geometry.calibration_check",
        "geometry.camera",
        "geometry.plane",
        "geometry.se3",
        "images.gray_levels",
        "images.depth_counts",
        "images.working_size",
    )
)
# Where a value is from. derived: follows from other numbers, by an equation. measured: by a page, script or test that
# is named. assumed: for the reason given. numerical: a tolerance, a bound of the run time or memory, or a guard.
ORIGINS = ("derived", "measured", "assumed", "numerical")
_ORIGIN = re.compile(rf"({'|'.join(ORIGINS)}): (\S.*)")


@dataclass(frozen=True)
class Origin:
    """Where the value of a constant is from.

    Attributes:
        kind: one of `ORIGINS`.
        text: equation, place of the measurement, or reason.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Constant:
    """A constant of a module.

    Attributes:
        module: full name of the module that defines it.
        name: its name there.
        value: a number, or an array of numbers.
        origin: by its comment; None if that does not say.
    """

    module: str
    name: str
    value: Any
    origin: Origin | None = None

    @property
    def label(self) -> str:
        """Module, without the package, and name."""
        return f"{self.module.partition('.')[2]}.{self.name}"

    def scaled(self, factor: float) -> Any:
        """Return the value times a factor. Of a share above one half, the distance to 1 is divided by it instead.

        Whole numbers stay whole, and at least 1.
        """
        if isinstance(self.value, int):
            return max(round(self.value * factor), 1)
        if isinstance(self.value, float) and 0.5 < self.value < 1.0:
            return 1.0 - (1.0 - self.value) / factor
        return self.value * factor


def constants_of(package: str, leave_out: tuple[str, ...] = ()) -> list[Constant]:
    """Return the constants (uppercase names at module level) of a package and its subpackages, in their order.

    Args:
        package: name of an importable package.
        leave_out: beginnings of the full names of modules to leave out.
    """
    found = []
    for module in _modules(package):
        if not module.__name__.startswith(leave_out):
            found += [
                Constant(module.__name__, name, getattr(module, name), origin)
                for name, origin in _numeric_names(module)
            ]
    return found


def estimator_constants() -> list[Constant]:
    """Return the constants of the estimator: all of the odometry but those of `NOT_ESTIMATOR`."""
    return constants_of(ESTIMATOR, NOT_ESTIMATOR)


@contextmanager
def varied(constant: Constant, value: Any) -> Iterator[None]:
    """Give the constant another value in its module and in those that import it by name."""
    name = constant.name
    users = [
        module
        for module in list(sys.modules.values())
        if isinstance(module, ModuleType) and vars(module).get(name) is constant.value and _imports(module, constant)
    ]
    for module in users:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module in users:
            setattr(module, name, constant.value)


def _modules(package: str) -> Iterator[ModuleType]:
    top = importlib.import_module(package)
    yield top
    for entry in pkgutil.walk_packages(top.__path__, f"{package}."):
        yield importlib.import_module(entry.name)


def _numeric_names(module: ModuleType) -> list[tuple[str, Origin | None]]:
    """Uppercase names with a number, or an array of floats, assigned from an expression with a number in it."""
    source = _source(module)
    comments = _comments(source)
    names = []
    for statement in ast.parse(source).body:
        targets = _targets(statement)
        if targets and _has_number(statement):
            origin = _origin(statement, comments)
            names += [(name, origin) for name in targets if name.isupper() and _is_numeric(getattr(module, name))]
    return names


def _targets(statement: ast.stmt) -> list[str]:
    """Names that a statement assigns to."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets: list[ast.expr] = [statement.target]
    else:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """Text of the comments by line, without the sign, and whether there is nothing else in the line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = (token for token in tokens if token.type == tokenize.COMMENT)
    return {c.start[0]: (c.string.lstrip("# "), not c.line[: c.start[1]].strip()) for c in comments}


def _origin(statement: ast.stmt, comments: dict[int, tuple[str, bool]]) -> Origin | None:
    """Origin by the comment above a statement, or in its lines: from the line that begins with its kind to the end."""
    first = statement.lineno
    while comments.get(first - 1, ("", False))[1]:
        first -= 1
    lines = [comments[line][0] for line in range(first, (statement.end_lineno or first) + 1) if line in comments]
    starts = [number for number, line in enumerate(lines) if _ORIGIN.match(line)]
    found = _ORIGIN.fullmatch(" ".join(lines[starts[0] :])) if len(starts) == 1 else None
    return Origin(*found.groups()) if found else None


def _source(module: ModuleType) -> str:
    assert module.__file__ is not None  # all are source files
    return Path(module.__file__).read_text(encoding="utf-8")


def _has_number(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Constant) and _is_numeric(part.value) for part in ast.walk(node))


def _is_numeric(value: Any) -> bool:
    is_array = isinstance(value, np.ndarray) and value.dtype == np.float64 and bool(np.isfinite(value).all())
    return is_array or (isinstance(value, int | float) and not isinstance(value, bool))


def _imports(module: ModuleType, constant: Constant) -> bool:
    """Whether a module defines or imports the constant: small numbers of other modules are the same object, too."""
    if module.__name__ == constant.module:
        return True
    if not getattr(module, "__file__", None) or not module.__name__.startswith(constant.module.partition(".")[0]):
        return False
    return any(
        isinstance(statement, ast.ImportFrom)
        and statement.module == constant.module
        and any(alias.name == constant.name for alias in statement.names)
        for statement in ast.parse(_source(module)).body
    )


def main(kinds: list[str]) -> int:
    """Print the constants of the estimator of these origins, or all; returns 0."""
    for constant in estimator_constants():
        kind, text = (constant.origin.kind, constant.origin.text) if constant.origin else ("-", "")
        if not kinds or kind in kinds:
            value = "array" if isinstance(constant.value, np.ndarray) else f"{constant.value:.4g}"
            print(f"{constant.label:60} {value:>9}  {kind:9}  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
