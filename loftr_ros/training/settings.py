"""Builds frozen dataclasses from YAML settings; unknown keys and wrong types are errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from loftr_ros.errors import LoftrRosError
from loftr_ros.validation import require_known, require_type

Settings = TypeVar("Settings")


class TrainingConfigError(LoftrRosError):
    """A training configuration that cannot be used."""


def build(kind: type[Settings], values: Mapping[Any, Any]) -> Settings:
    """Make a dataclass, all of whose fields have defaults, from a mapping of settings. Raises TrainingConfigError."""
    require_known(TrainingConfigError, values, (entry.name for entry in fields(kind)))  # type: ignore[arg-type]
    return kind(**{name: _checked(name, value, getattr(kind, name)) for name, value in values.items()})


def _checked(name: str, value: Any, default: Any) -> Any:
    hint = " (YAML reads 2e-3 as text: write 2.0e-3)" if isinstance(default, float) else ""
    require_type(TrainingConfigError, name, value, type(default), hint)
    return value
