"""What a check-up finds, each check with its figure, a level, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Level(Enum):
    """How a finding is to be taken.

    OK: as it should be, or a figure to compare with what one knows. WARNING: odometry may run, and may be inaccurate.
    ERROR: it does not run.
    """

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        subject: what was looked at: "source", "time", "images", "calibration", "motion", or a topic.
        name: of the check.
        figure: what was measured, in words.
        level: how it is to be taken.
        advice: the likely cause and what to do about it; empty if all is well.
        values: the figures as numbers, by names that end in their units; for programs.
    """

    subject: str
    name: str
    figure: str
    level: Level = Level.OK
    advice: str = ""
    values: Mapping[str, float | int | str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the fields as they go into JSON."""
        return {**vars(self), "level": self.level.value, "values": dict(self.values)}


def judged(subject: str, name: str, figure: str, advice: str, **values: float | int | str) -> Finding:
    """Return a finding that is a warning if there is advice, and OK if that is empty."""
    return Finding(subject, name, figure, Level.WARNING if advice else Level.OK, advice, values)


def error(subject: str, name: str, sentence: object) -> Finding:
    """Return the finding of what keeps odometry from running, in the sentence of the error."""
    return Finding(subject, name, "cannot be used", Level.ERROR, str(sentence))


@dataclass(frozen=True)
class Report:
    """All findings of a source.

    Attributes:
        source: the folder, or what live topics are called.
        mode: that was checked; None if nothing could be opened.
        findings: in the order of the page.
    """

    source: str
    mode: str | None
    findings: tuple[Finding, ...]

    def at(self, level: Level) -> tuple[Finding, ...]:
        """Return the findings of a level."""
        return tuple(finding for finding in self.findings if finding.level is level)

    @property
    def exit_code(self) -> int:
        """1 if odometry would not run, else 0."""
        return 1 if has_error(self.findings) else 0

    def as_json(self) -> dict[str, Any]:
        """Return the content of the JSON file; keys are only ever added."""
        return {
            "source": self.source,
            "mode": self.mode,
            "warnings": len(self.at(Level.WARNING)),
            "errors": len(self.at(Level.ERROR)),
            "findings": [finding.as_json() for finding in self.findings],
        }


def has_error(findings: Iterable[Finding]) -> bool:
    """Return whether odometry would not run."""
    return any(finding.level is Level.ERROR for finding in findings)
