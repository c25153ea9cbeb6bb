"""Reports of `loftr-ros play` and `loftr-ros record`, as JSON files. Imports no ROS."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from loftr_ros.errors import LoftrRosError
from loftr_ros.output import writing


class ReplayError(LoftrRosError):
    """A playback or a recording that cannot start, or has no result."""


@dataclass(frozen=True)
class PlayReport:
    """The frames that were published.

    Attributes:
        stamps_ns: their stamps, as published.
        sent_ns: when each was published, system clock.
        answered_ns: when the odometry of each arrived, system clock, 0 for none; empty unless in lockstep.
    """

    stamps_ns: list[int]
    sent_ns: list[int]
    answered_ns: list[int]

    @property
    def unanswered(self) -> int:
        """Number of frames without odometry."""
        return self.answered_ns.count(0)

    def __str__(self) -> str:
        text = f"published {len(self.stamps_ns)} frames, {rate(self.sent_ns):.2f} Hz"
        if not self.answered_ns:
            return text
        waits = [answer - sent for sent, answer in zip(self.sent_ns, self.answered_ns, strict=True) if answer]
        return f"{text}, {len(waits)} answered, {self.unanswered} not" + (
            f", answer after {np.mean(waits) / 1e6:.0f} ms (mean), {max(waits) / 1e6:.0f} ms (max)" if waits else ""
        )


@dataclass(frozen=True)
class RecordReport:
    """The messages that arrived.

    Attributes:
        topic: of the messages.
        frame: of the poses in the trajectory, in words.
        stamps_ns: of their headers.
        arrived_ns: when each arrived, system clock.
    """

    topic: str
    frame: str
    stamps_ns: list[int]
    arrived_ns: list[int]

    def __str__(self) -> str:
        return f"recorded {len(self.stamps_ns)} messages from {self.topic}, {rate(self.arrived_ns):.2f} Hz"


def rate(times_ns: list[int]) -> float:
    """Return the mean rate of events in Hz; 0 with fewer than two."""
    span = times_ns[-1] - times_ns[0] if times_ns else 0
    return (len(times_ns) - 1) * 1e9 / span if span > 0 else 0.0


def latencies_ms(played: PlayReport, recorded: RecordReport) -> list[float]:
    """Return the latency from publishing each frame to receiving its odometry, milliseconds, for frames with both."""
    sent = dict(zip(played.stamps_ns, played.sent_ns, strict=True))
    arrivals = zip(recorded.stamps_ns, recorded.arrived_ns, strict=True)
    return [(arrived - sent[stamp]) / 1e6 for stamp, arrived in arrivals if stamp in sent]


def write_report(path: Path, report: PlayReport | RecordReport) -> None:
    """Write a report as JSON. Raises OutputError."""
    with writing(path) as part:
        part.write_text(json.dumps(asdict(report), indent=1) + "\n")


def read_play_report(path: Path) -> PlayReport:
    """Read the report of `loftr-ros play --json`."""
    return PlayReport(**json.loads(path.read_text()))


def read_record_report(path: Path) -> RecordReport:
    """Read the report of `loftr-ros record --json`."""
    return RecordReport(**json.loads(path.read_text()))
