"""Numeric constants of a package: finds them in the source, and changes one at a time in all modules that use it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Constant:
    """A constant of a module.

    Attributes:
        module: full name of the module that defines it.
        name: its name there.
        value: a number, or an array of numbers.
    """

    module: str
    name: str
    value: Any

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
            found += [Constant(module.__name__, name, getattr(module, name)) for name in _numeric_names(module)]
    return found


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


def _numeric_names(module: ModuleType) -> list[str]:
    """Uppercase names with a number, or an array of floats, assigned from an expression with a number in it."""
    names = []
    for statement in _tree(module).body:
        if not isinstance(statement, ast.Assign) or not _has_number(statement.value):
            continue
        targets = [name for target in statement.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        names += [target.id for target in targets if target.id.isupper() and _is_numeric(getattr(module, target.id))]
    return names


def _tree(module: ModuleType) -> ast.Module:
    assert module.__file__ is not None  # all are source files
    return ast.parse(Path(module.__file__).read_text(encoding="utf-8"))


def _has_number(expression: ast.expr) -> bool:
    return any(isinstance(node, ast.Constant) and _is_numeric(node.value) for node in ast.walk(expression))


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
        for statement in _tree(module).body
    )
