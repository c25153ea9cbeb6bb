"""What `loftr-ros play` and `loftr-ros record` say about themselves, as files. Imports no ROS."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from loftr_ros.errors import LoftrRosError
from loftr_ros.output import writing


class ReplayError(LoftrRosError):
    """A replay or a recording that cannot start, or that nothing came of."""


@dataclass(frozen=True)
class PlayReport:
    """The frames that were published.

    Attributes:
        stamps_ns: their stamps, as published.
        sent_ns: when each was published, system clock.
        answered_ns: when the odometry of each came, system clock, 0 if it did not; empty unless in lockstep.
    """

    stamps_ns: list[int]
    sent_ns: list[int]
    answered_ns: list[int]

    @property
    def unanswered(self) -> int:
        """Number of frames whose odometry did not come."""
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
        topic: where they came from.
        frame: what the poses of the trajectory are, in words.
        stamps_ns: of their headers.
        arrived_ns: when each came, system clock.
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
    """Return the milliseconds from publishing each frame to receiving its odometry, for the frames that have both."""
    sent = dict(zip(played.stamps_ns, played.sent_ns, strict=True))
    arrivals = zip(recorded.stamps_ns, recorded.arrived_ns, strict=True)
    return [(arrived - sent[stamp]) / 1e6 for stamp, arrived in arrivals if stamp in sent]


def write_report(path: Path, report: PlayReport | RecordReport) -> None:
    """Write a report as JSON. Raises OutputError."""
    with writing(path) as part:
        part.write_text(json.dumps(asdict(report), indent=1) + "\n")


def read_play_report(path: Path) -> PlayReport:
    """Read what `loftr-ros play --json` wrote."""
    return PlayReport(**json.loads(path.read_text()))


def read_record_report(path: Path) -> RecordReport:
    """Read what `loftr-ros record --json` wrote."""
    return RecordReport(**json.loads(path.read_text()))
