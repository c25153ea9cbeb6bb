"""What the node's table of parameters says of one of them. Imports no ROS."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from loftr_ros.errors import LoftrRosError


class ParameterError(LoftrRosError):
    """A parameter that does not exist or a value outside its range; the message names both."""


@dataclass(frozen=True)
class ParameterSpec:
    """One row of the table.

    Attributes:
        name: as in `ros2 param`.
        default: its type is the type of the parameter.
        description: one sentence.
        unit: SI symbol or a word; empty for text and switches.
        low, high: inclusive range of a number; None where there is none.
        choices: the values allowed for a text; empty if any text is.
        read_only: whether only a restart of the node changes it.
        runtime: whether an active node takes a change, which holds from the next frame on. What is neither takes effect
            when the node is configured.
        section: headline of the rows that start with this one; empty for the others.
    """

    name: str
    default: bool | int | float | str
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False
    runtime: bool = False
    section: str = ""

    @property
    def constraints(self) -> str:
        """What the value may be, in words; empty if anything of the type."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.low is None:
            return ""
        return f"{self.low:.10g} to {self.high:.10g} {self.unit}".strip()

    @property
    def help(self) -> str:
        """Description and constraints in one line."""
        return f"{self.description} ({self.constraints})" if self.constraints else self.description

    def check(self, value: Any) -> None:
        """Raise ParameterError if the value has another type or lies outside the range."""
        number = type(self.default) is float and type(value) is int
        if type(value) is not type(self.default) and not number:
            given, wanted = type(value).__name__, type(self.default).__name__
            raise ParameterError(f"parameter {self.name} is {value!r}, a {given}: it must be a {wanted}")
        outside = self.low is not None and self.high is not None and not self.low <= value <= self.high
        if outside or (self.choices and value not in self.choices):
            raise ParameterError(f"parameter {self.name} is {value!r}: it must be {self.constraints}")


def row(default: Any, description: str, **options: Any) -> Any:
    """Return a field of a dataclass that is a row of the table; the options are attributes of `ParameterSpec`."""
    return field(default=default, metadata={"description": description, **options})


def specs(table: type[Any]) -> tuple[ParameterSpec, ...]:
    """Return the rows of a dataclass whose fields were made by `row`."""
    return tuple(ParameterSpec(one.name, getattr(table, one.name), **one.metadata) for one in fields(table))
