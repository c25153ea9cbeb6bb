"""The tables of bench/node.py: latency by stage, and measured values against the requirements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from node_session import Session, percentiles
from report import decimal

_OUTER = ("decode", "odometry", "publish")


@dataclass(frozen=True)
class StagesReport:
    """Latency by stage in processing order, milliseconds."""

    heading: str
    session: Session

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["stage", "median ms", "p95", "max", "samples"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per stage; stages of the odometry are indented."""
        frames, callbacks = self.session.frames, self.session.callbacks
        queued = {stamp: began + 1e6 * took for stamp, began, took in callbacks}
        inner = dict.fromkeys(name for frame in frames for name in frame.stages_ms if name not in _OUTER)

        def stage(name: str) -> list[float]:
            return [frame.stages_ms[name] for frame in frames if name in frame.stages_ms]

        rows = {
            "stamp to callback": [1e-6 * (began - stamp) for stamp, began, _ in callbacks],
            "callback": [took for _, _, took in callbacks],
            "waiting": [max(1e-6 * (f.began_ns - queued[f.stamp_ns]), 0.0) for f in frames if f.stamp_ns in queued],
            "decode": stage("decode"),
            "odometry": stage("odometry"),
            **{f"- {name}": stage(name) for name in inner},
            "publish": stage("publish"),
            "node overhead": overhead_ms(self.session),
            "stamp to odometry received": [
                1e-6 * (received - stamp) for stamp, received in self.session.received_ns.items()
            ],
        }
        return [
            [name, *(decimal(value, 2) for value in percentiles(values)), str(len(values))]
            for name, values in rows.items()
        ]


@dataclass(frozen=True)
class RequirementsReport:
    """Measured values against the requirements."""

    heading: str
    session: Session
    starts_s: Sequence[float]

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["quantity", "measured", "required"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per requirement."""
        session = self.session
        _, callback_tail, callback_most = percentiles([took for _, _, took in session.callbacks])
        early, late = _delays(session)
        overhead, _, _ = percentiles(overhead_ms(session))
        outdated = sum(frame.newest_ns > frame.stamp_ns for frame in session.frames)
        first, last = session.memory_mib
        return [
            ["callback, p95 and max", f"{callback_tail:.2f} ms, {callback_most:.2f} ms", "1 ms"],
            ["stamp to callback, first and last third", f"{early:.1f} ms, {late:.1f} ms", "no backlog"],
            ["images sent, received", f"{len(session.sent_ns)}, {len(session.callbacks)}", "-"],
            ["frames processed, of which not the newest", f"{len(session.frames)}, {outdated}", "0"],
            ["node overhead, median", f"{overhead:.2f} ms", "5 ms"],
            ["process start to first odometry", ", ".join(f"{start:.2f} s" for start in self.starts_s), "4 s"],
            ["memory of the node, first frame and end", f"{first:.0f} MiB, {last:.0f} MiB", "-"],
        ]


def overhead_ms(session: Session) -> list[float]:
    """Time of each frame outside of the odometry (matching included there), milliseconds."""
    return [frame.total_ms - frame.stages_ms["odometry"] for frame in session.frames if "odometry" in frame.stages_ms]


def _delays(session: Session) -> tuple[float, float]:
    """Median delay from stamp to callback in the first and last third of the images: a backlog makes it grow."""
    delays = [1e-6 * (began - stamp) for stamp, began, _ in session.callbacks]
    third = max(len(delays) // 3, 1)
    return float(np.median(delays[:third])), float(np.median(delays[-third:]))
