"""Opens a recorded source in every mode, to report its layout, the supported modes, and why others fail."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from loftr_ros.checkup.findings import Finding, error, judged
from loftr_ros.odometry.config import Mode
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.formats import BEST_FIRST, layout_of, open_sequence
from loftr_ros.sequences.guessed_camera import FieldOfView
from loftr_ros.sequences.sequence import Sequence


@dataclass(frozen=True)
class OpenedSource:
    """A source opened in one mode.

    Attributes:
        sequence: opened in the mode; None if that failed.
        mode: the requested mode, else the preferred one of those supported.
        findings: on layout and modes, or the error.
    """

    sequence: Sequence | None
    mode: Mode | None
    findings: tuple[Finding, ...]


def open_source(
    path: Path,
    mode: Mode | None,
    fps: float | None,
    depth_scale: float | None,
    topics: Mapping[str, str] | None = None,
    camera: Items[Path] = (),
    fov: FieldOfView | None = None,
) -> OpenedSource:
    """Open a source in every mode, and return it in the requested or preferred one.

    Args:
        path: of the source.
        mode: requested mode; None: the preferred one of those supported.
        fps, depth_scale, topics, camera, fov: see `open_sequence`.
    """
    opened: dict[Mode, Sequence] = {}
    refused: dict[Mode, SequenceError] = {}
    for candidate in get_args(Mode):
        try:
            opened[candidate] = open_sequence(path, candidate, fps, depth_scale, topics=topics, camera=camera, fov=fov)
        except SequenceError as fault:
            refused[candidate] = fault
    chosen = mode or next((candidate for candidate in BEST_FIRST if candidate in opened), None)
    if chosen not in opened:
        others = [_modes(opened, refused, mode)] if opened else []
        finding = error("source", "input", _opening_error(refused, mode))
        return OpenedSource(None, chosen, (*_layout(path), *others, finding))
    return OpenedSource(opened[chosen], chosen, (*_layout(path), _modes(opened, refused, mode)))


def _layout(path: Path) -> list[Finding]:
    try:
        layout = layout_of(path)
    except SequenceError:
        return []
    return [judged("source", "layout", layout, "")] if layout else []


def _opening_error(refused: dict[Mode, SequenceError], mode: Mode | None) -> SequenceError:
    """Return the error of the requested mode; else one of a present sensor rather than of a missing one."""
    if mode is not None:
        return refused[mode]
    faults = [fault for fault in refused.values() if not isinstance(fault, MissingSensorError)]
    return faults[0] if faults else refused["mono"]


def _modes(opened: dict[Mode, Sequence], refused: dict[Mode, SequenceError], requested: Mode | None) -> Finding:
    """Return the finding on supported modes, with a warning for a right camera or depth that is not usable."""
    faults = {mode: fault for mode, fault in refused.items() if not isinstance(fault, MissingSensorError)}
    lacking = [mode for mode in refused if mode not in faults]
    figure = ", ".join(opened) + (f"; no sensor for {', '.join(lacking)}" if lacking else "")
    reported = faults if requested is None else {}
    advice = "; ".join(f"not {mode}: {str(fault).rstrip('.')}" for mode, fault in reported.items())
    return judged("source", "modes", figure, advice, supported=" ".join(opened))
