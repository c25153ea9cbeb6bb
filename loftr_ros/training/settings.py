"""Builds frozen dataclasses from YAML settings; unknown keys and wrong types are errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from loftr_ros.errors import LoftrRosError

Settings = TypeVar("Settings")


class TrainingConfigError(LoftrRosError):
    """A training configuration that cannot be used."""


def build(kind: type[Settings], values: Mapping[Any, Any]) -> Settings:
    """Build a dataclass whose fields all have defaults from a mapping. Raises TrainingConfigError."""
    known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(map(str, set(values) - known)):
        raise TrainingConfigError(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return kind(**{name: _checked(name, value, getattr(kind, name)) for name, value in values.items()})


def _checked(name: str, value: Any, default: Any) -> Any:
    expected = type(default)
    if type(value) is not expected and not (expected is float and type(value) is int):
        hint = " (YAML reads 2e-3 as text: write 2.0e-3)" if expected is float else ""
        raise TrainingConfigError(f"{name} must be of type {expected.__name__}, not {value!r}{hint}")
    return value
