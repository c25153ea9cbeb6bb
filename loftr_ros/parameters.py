"""Settings that describe themselves: description, unit, range and audience stand once, at the field of a dataclass.

`OdometryConfig` and the parameters of the node are such dataclasses. Validation, command line options, declarations,
launch arguments, `config/vo.yaml` and `docs/parameters.md` are made from them. Imports no ROS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from loftr_ros.errors import LoftrRosError
from loftr_ros.validation import require, require_type

# Who should change a parameter: everyone to describe robot and task, who tunes for a platform, who knows the estimator.
Audience = Literal["everyone", "tuning", "expert"]
# Kinds of names: what they look like, and the words for it.
_NAMES = {
    "topic": (
        re.compile(r"|(/|~/)?(\{\w+\}|[A-Za-z_]\w*)(/(\{\w+\}|[A-Za-z_]\w*))*", re.ASCII),
        "a topic, such as /camera/image: letters, digits and _ between single slashes",
    ),
    "frame": (re.compile(r"[^/\s]\S*"), "a frame of tf2: not empty, without spaces and a leading slash"),
}


class ParameterError(LoftrRosError):
    """A parameter that does not exist or a value outside its range; the message names both."""


@dataclass(frozen=True)
class ParameterSpec:
    """Specification of one parameter.

    Attributes:
        name: of the field; likewise in YAML, in `ros2 param` and, with dashes, on the command line.
        default: its type is the type of the parameter.
        description: one sentence.
        audience: who should change it.
        unit: SI symbol or a word; empty for text and switches.
        low, high: inclusive range of a number; None where there is none.
        choices: the values allowed for a text; empty if any text is.
        names: what a text is the name of: "topic" (may be empty) or "frame" of tf2; empty if nothing of these.
        read_only: whether only a restart of the node changes it.
        runtime: whether a change is applied between two frames. What is neither takes effect when the node is
            configured.
        section: headline of the parameters from this one on; empty continues the section before.
    """

    name: str
    default: bool | int | float | str
    description: str
    audience: Audience = "everyone"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    names: Literal["", "topic", "frame"] = ""
    read_only: bool = False
    runtime: bool = False
    section: str = ""

    @property
    def constraints(self) -> str:
        """Allowed values in words; empty if anything of the type."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.low is None:
            return ""
        return f"{self.low:.10g} to {self.high:.10g} {self.unit}".strip()

    @property
    def help(self) -> str:
        """Audience, unless it is everyone, description and constraints in one line."""
        mark = "" if self.audience == "everyone" else f"[{self.audience}] "
        return f"{mark}{self.description}" + (f" ({self.constraints})" if self.constraints else "")

    def check(self, value: Any, error: type[LoftrRosError] = ParameterError) -> None:
        """Raise `error` if the value has another type or lies outside the range."""
        require_type(error, self.name, value, type(self.default))
        in_range = self.low is None or self.high is None or self.low <= value <= self.high
        is_choice = not self.choices or value in self.choices
        require(in_range and is_choice, error, self.name, value, self.constraints)
        if self.names:
            pattern, words = _NAMES[self.names]
            require(bool(pattern.fullmatch(value)), error, self.name, value, words)


def parameter(default: Any, description: str, **options: Any) -> Any:
    """Return a dataclass field that is a parameter; the options are attributes of `ParameterSpec`."""
    return field(default=default, metadata={"description": description, **options})


def same_as(table: type[Any], name: str, **changes: Any) -> Any:
    """Return a field that is a parameter of another table, with changed options."""
    (original,) = (entry for entry in fields(table) if entry.name == name)
    return parameter(original.default, **{**original.metadata, **changes})


def specs(table: type[Any]) -> tuple[ParameterSpec, ...]:
    """Return the parameters of a dataclass whose fields were made by `parameter`."""
    return tuple(ParameterSpec(entry.name, getattr(table, entry.name), **entry.metadata) for entry in fields(table))
