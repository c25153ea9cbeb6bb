"""Findings of a check: measured value, severity and advice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Level(Enum):
    """Severity of a finding.

    OK: no fault, or a value for the user to compare. WARNING: odometry runs, but may be inaccurate. ERROR: odometry
    does not run.
    """

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes:
        subject: "source", "time", "images", "calibration", "motion", or a topic.
        name: of the check.
        figure: the measured values, as text.
        level: severity.
        advice: the likely cause and its fix; empty without a fault.
        values: the measured values by name, with the unit as suffix; for programs.
    """

    subject: str
    name: str
    figure: str
    level: Level = Level.OK
    advice: str = ""
    values: Mapping[str, float | int | str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the fields for the JSON file."""
        return {**vars(self), "level": self.level.value, "values": dict(self.values)}


def judged(subject: str, name: str, figure: str, advice: str, **values: float | int | str) -> Finding:
    """Return a finding at WARNING level if `advice` is not empty, else OK."""
    return Finding(subject, name, figure, Level.WARNING if advice else Level.OK, advice, values)


def error(subject: str, name: str, sentence: object) -> Finding:
    """Return a finding at ERROR level with the error message `sentence` as advice."""
    return Finding(subject, name, "cannot be used", Level.ERROR, str(sentence))


@dataclass(frozen=True)
class Report:
    """All findings of a source.

    Attributes:
        source: the folder, or the name of the live topics.
        mode: the checked mode; None if the source cannot be opened.
        findings: in order of output.
    """

    source: str
    mode: str | None
    findings: tuple[Finding, ...]

    def at(self, level: Level) -> tuple[Finding, ...]:
        """Return the findings at a level."""
        return tuple(finding for finding in self.findings if finding.level is level)

    @property
    def exit_code(self) -> int:
        """1 if there is an error, else 0."""
        return 1 if has_error(self.findings) else 0

    def as_json(self) -> dict[str, Any]:
        """Return the content of the JSON file; keys are added, but never renamed or removed."""
        return {
            "source": self.source,
            "mode": self.mode,
            "warnings": len(self.at(Level.WARNING)),
            "errors": len(self.at(Level.ERROR)),
            "findings": [finding.as_json() for finding in self.findings],
        }


def has_error(findings: Iterable[Finding]) -> bool:
    """Return whether a finding is an error, so odometry would not run."""
    return any(finding.level is Level.ERROR for finding in findings)
