"""Opens a recorded source as far as it goes: its layout, the modes it supports, and why it does not support others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from loftr_ros.checkup.findings import Finding, error, judged
from loftr_ros.odometry.config import Mode
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.formats import layout_of, open_sequence
from loftr_ros.sequences.sequence import Sequence

# The best first: metric, and without assumptions about depth images.
_BEST_FIRST: tuple[Mode, ...] = ("stereo", "rgbd", "mono")


@dataclass(frozen=True)
class OpenedSource:
    """What opening a source gave.

    Attributes:
        sequence: opened in the mode; None if it cannot be.
        mode: that was asked for, or else the best one that the source supports.
        findings: on its layout and modes, or the error.
    """

    sequence: Sequence | None
    mode: Mode | None
    findings: tuple[Finding, ...]


def open_source(path: Path, mode: Mode | None, fps: float, depth_scale: float | None) -> OpenedSource:
    """Open a source in every mode, and keep the one that was asked for, or the best.

    Args:
        path: of the source.
        mode: to check; None for the best.
        fps, depth_scale: as `open_sequence` takes them.
    """
    opened: dict[Mode, Sequence] = {}
    refused: dict[Mode, SequenceError] = {}
    for candidate in get_args(Mode):
        try:
            opened[candidate] = open_sequence(path, candidate, fps, depth_scale)
        except SequenceError as fault:
            refused[candidate] = fault
    chosen = mode or next((candidate for candidate in _BEST_FIRST if candidate in opened), None)
    if chosen not in opened:
        others = [_modes(opened, refused, mode)] if opened else []
        return OpenedSource(None, chosen, (*_layout(path), *others, error("source", "input", _why_none(refused, mode))))
    return OpenedSource(opened[chosen], chosen, (*_layout(path), _modes(opened, refused, mode)))


def _layout(path: Path) -> list[Finding]:
    try:
        layout = layout_of(path) if os.path.isdir(path) else None  # noqa: PTH112  see open_sequence
    except SequenceError:
        return []
    return [judged("source", "layout", layout, "")] if layout else []


def _why_none(refused: dict[Mode, SequenceError], mode: Mode | None) -> SequenceError:
    """Return the error to tell: where no mode was asked for, that of the sensor that is there."""
    if mode is not None:
        return refused[mode]
    faults = [fault for fault in refused.values() if not isinstance(fault, MissingSensorError)]
    return faults[0] if faults else refused["mono"]


def _modes(opened: dict[Mode, Sequence], refused: dict[Mode, SequenceError], asked: Mode | None) -> Finding:
    """Report which modes work. A right camera or depth that is there and cannot be used is worth a warning."""
    faults = {mode: fault for mode, fault in refused.items() if not isinstance(fault, MissingSensorError)}
    lacking = [mode for mode in refused if mode not in faults]
    figure = ", ".join(opened) + (f"; no sensor for {', '.join(lacking)}" if lacking else "")
    unasked = faults if asked is None else {}
    advice = "; ".join(f"not {mode}: {str(fault).rstrip('.')}" for mode, fault in unasked.items())
    return judged("source", "modes", figure, advice, supported=" ".join(opened))
