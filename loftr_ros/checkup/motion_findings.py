"""Findings of a short odometry run: tracking, matches, velocity, depth, and warnings on the input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from loftr_ros.checkup.findings import Finding, Level, error, judged
from loftr_ros.errors import LoftrRosError
from loftr_ros.matches import Matcher
from loftr_ros.odometry.checks.input_fault import InputWarning
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import LostReason, TrackingState
from loftr_ros.odometry.visual_odometry import VisualOdometry

# Median number of matches and median inlier ratio below which to warn: tracking works, but with a small margin.
# Recorded sequences have at least 146 and 0.70.
_MIN_MATCHES, _MIN_INLIER_RATIO = 60, 0.5
# Share of lost frames above which to warn.
_MAX_LOST_SHARE = 0.1
# Likely cause in the source of each loss reason; faults of images have findings of their own.
_ADVICE = {
    LostReason.FEW_MATCHES: "look for more light, texture or overlap",
    LostReason.NO_MOTION_FITS: "check the calibration, the order of the images, and for things that move or repeat",
    LostReason.NO_DEPTH: "the depth image is empty where the matches are, or all is too far away for the baseline",
    LostReason.NO_STEREO: "left and right may be swapped, of different times, or rectified in another way",
    LostReason.IMPOSSIBLE_MOTION: "no robot moves like that: check the stamps, the baseline and the unit of depth",
}
_MEASURED = (TrackingState.TRACKING, TrackingState.STATIONARY)


@dataclass(frozen=True)
class _Step:
    """Summary of an estimate, without its images."""

    state: TrackingState
    lost_reason: LostReason | None
    matches: int
    inliers: int
    speed: float | None  # m/s; None if unknown
    angular_speed: float  # rad/s
    depth_m: float | None  # median of the matches; None if unknown

    @staticmethod
    def of(estimate: OdometryEstimate) -> _Step:
        metric = estimate.scale_known and estimate.state in _MEASURED
        return _Step(
            state=estimate.state,
            lost_reason=estimate.lost_reason,
            matches=estimate.num_matches,
            inliers=estimate.num_inliers,
            speed=float(np.linalg.norm(estimate.twist[:3])) if metric else None,
            angular_speed=float(np.linalg.norm(estimate.twist[3:])),
            depth_m=_median_depth(estimate) if metric else None,
        )


def motion_findings(frames: Iterable[Frame], matcher: Matcher[Any], mode: Mode) -> list[Finding]:
    """Run odometry on frames in order of time, and return the findings."""
    odometry = VisualOdometry(matcher, OdometryConfig(mode=mode))
    steps: list[_Step] = []
    warnings: dict[str, InputWarning] = {}
    try:
        for frame in frames:
            estimate = odometry.process(frame)
            steps.append(_Step.of(estimate))
            warnings.update({warning.fault.value: warning for warning in estimate.input_warnings})
    except LoftrRosError as fault:
        return [error("motion", "tracking", fault)]
    if len(steps) < 2:
        return []
    on_input = [_on_input(name, warning) for name, warning in warnings.items()]
    return [_tracking(steps[1:]), *_matches(steps[1:]), *_velocity(steps[1:]), *_depth(steps[1:]), *on_input]


def _on_input(name: str, warning: InputWarning) -> Finding:
    return Finding("motion", name, "measured on the images", Level.WARNING, warning.text)


def _tracking(steps: list[_Step]) -> Finding:
    states = Counter(step.state for step in steps)
    reasons = Counter(step.lost_reason for step in steps if step.lost_reason)
    figure = f"of {len(steps)} motions " + ", ".join(f"{count} {state.value}" for state, count in states.most_common())
    values = {state.value: states[state] for state in TrackingState}
    measured, lost = sum(states[state] for state in _MEASURED), states[TrackingState.LOST]
    if not measured and lost:
        return Finding("motion", "tracking", figure, Level.ERROR, _loss_advice(reasons), values)
    advice = _loss_advice(reasons) if lost > _MAX_LOST_SHARE * len(steps) else ""
    if not measured:
        advice = "the camera moves too little here for a single camera to tell: look at more frames"
    return judged("motion", "tracking", figure, advice, **values)


def _loss_advice(reasons: Counter[LostReason]) -> str:
    listed = ", ".join(f"{count} {reason.value}" for reason, count in reasons.most_common())
    advice = next((_ADVICE[reason] for reason, _ in reasons.most_common() if reason in _ADVICE), "")
    return f"lost: {listed}" + (f": {advice}" if advice else "")


def _matches(steps: list[_Step]) -> list[Finding]:
    matched = [step for step in steps if step.matches]
    measured = [step.inliers / step.matches for step in matched if step.state in _MEASURED]
    if not measured:
        return []
    count, share = float(np.median([step.matches for step in matched])), float(np.median(measured))
    advice = ""
    if share < _MIN_INLIER_RATIO:
        advice = "many matches fit no common motion: check the calibration, and for things that move or repeat"
    elif count < _MIN_MATCHES:
        advice = "hardly any texture or overlap: more light, a higher frame rate, or a larger --max-pixels"
    figure = f"{count:.0f} a frame, {100 * share:.0f} % inliers (median)"
    return [judged("motion", "matches", figure, advice, matches=count, inlier_share=share)]


def _velocity(steps: list[_Step]) -> list[Finding]:
    speeds = [step.speed for step in steps if step.speed is not None]
    if not speeds:
        return []
    speed, turn = float(np.median(speeds)), float(np.degrees(np.median([step.angular_speed for step in steps])))
    figure = f"{speed:.3g} m/s, {turn:.2g} degrees/s (median): compare with what the camera did"
    return [judged("motion", "velocity", figure, "", speed_m_s=speed, turn_deg_s=turn)]


def _depth(steps: list[_Step]) -> list[Finding]:
    depths = [step.depth_m for step in steps if step.depth_m is not None]
    if not depths:
        return []
    median = float(np.median(depths))
    return [judged("motion", "depth", f"median {median:.3g} m, of the matches", "", median_m=median)]


def _median_depth(estimate: OdometryEstimate) -> float | None:
    if estimate.landmarks is None:
        return None
    z = estimate.landmarks.points()[estimate.inliers, 2]
    known = z[np.isfinite(z)]
    return float(np.median(known)) if known.size else None
