"""A stereo pair checked against its calibration: swapped, of different times, misaligned, or of two scenes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.stereo.rig_deviation import PITCH, ROLL, SCALE, SLANT, RigDeviation, evenly
from loftr_ros.odometry.checks.turned_image import how_turned
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.image_quality import ImageQuality

# Sliding window of pairs, of which most must show a fault. Once it is full, small misalignments, which do not change,
# are sought in every fifth pair only.
_RECENT, _EVERY = 9, 5
# The figures below: median of the pairs of KITTI 06, EuRoC V1_01 and the rendered room, and the same with the fault.
# Least number of matches of a pair: EuRoC at a sixth of its pixels has 370; a black or mirrored right image under 20.
_FEW_MATCHES = 30
# Shares of matches within 1 px of their epipolar curve: good pairs have 0.77 and more, those of two places 0.1. Of less
# than 1/3 no depth is used (`OdometryConfig.min_inlier_ratio`).
_ON_CURVE_PX, _LEAST_SHARE = 1.0, 0.5
# Vertical error that a calibration causes, at the border of the image, pixels: good rigs have up to 0.24. From 1 px on
# matches leave their epipolar curve by more than an inlier may.
_LARGEST_MISALIGNMENT_PX, _SURE = 0.8, 5.0
# Tangent of the angle between measured and calibrated baseline: up to 0.02 for good rigs, 0.65 for images half a frame
# apart. A calibration is wrong by a few degrees at most.
_LARGEST_SLANT, _SURE_SLANT = 0.15, 10.0
# Largest ratio of the residuals of that fit to those of a pure rotation of the right camera: 0.1 for two times.
_RESIDUALS_LEFT = 0.8
# Least inlier ratio of that fit: 0.8 for images one frame apart, a third for three frames.
_LEAST_EXPLAINED = 0.25
# Largest share of one plane in what the fit explains that leaves no doubt: 0.22 on a road, 0.3 to 0.5 in a hall, and
# 0.43 and more where something flat whose pictures do not fit the calibration is held before a rig in order.
_LARGEST_PLANE = 1 / 3
# Median residuals of good rigs, pixels, as calibrated and rotated: below them no other fit is tried.
_FINE_PX, _FINE_TURNED_PX = 0.5, 0.12
# Share of the matches near their epipolar curve with positive disparity: 0.01 for a swapped pair, 0.77 once exchanged.
_FEW_IN_FRONT, _NO_DISPARITY_PX = 0.25, 0.5
# 80 % of the points of one image given twice agree within 0.02 to 0.08 px, within 0.21 px after noise or JPEG at 60 %.
# A pair whose disparities are no larger tells no depth.
_SAME_PX = 0.4
_NO_DEPTH = frozenset({InputFault.STEREO_SWAPPED, InputFault.STEREO_TIMES})


@dataclass(frozen=True)
class _Verdict:
    """What one pair shows: the warning, and the figure that it names."""

    warning: InputWarning
    figure: float


class StereoCheck:
    """Judges pair after pair, and warns of what most of the last ones show."""

    def __init__(self) -> None:
        """Start with no evidence."""
        self._recent: deque[_Verdict | None] = deque(maxlen=_RECENT)
        self._last: _Verdict | None = None
        self._pairs = 0

    def add_pair(self, frame: Frame, matches: Matches) -> None:
        """Take a stereo pair and its matches, left to right, outliers included."""
        self._pairs += 1
        is_due = self._pairs <= _RECENT or self._pairs % _EVERY == 0
        self._last = _judge(frame, matches, thoroughly=is_due)
        if is_due or self._last is not None:
            self._recent.append(self._last)

    @property
    def has_pairs(self) -> bool:
        """Whether there is any stereo pair."""
        return self._pairs > 0

    @property
    def gives_depth(self) -> bool:
        """Whether the disparities of the last pair may be depth; those of a swapped or later image are not."""
        return self._last is None or self._last.warning.fault not in _NO_DEPTH

    @property
    def warning(self) -> InputWarning | None:
        """The fault that most of the recent pairs show, with the median of its figures."""
        typical = self._typical
        return typical.warning if typical else None

    @property
    def misalignment_px(self) -> float:
        """Largest distance from the calibrated place in the right image, where that is the fault; else 0."""
        typical = self._typical
        return typical.figure if typical and typical.warning.fault is InputFault.STEREO_MISALIGNED else 0.0

    @property
    def _typical(self) -> _Verdict | None:
        found = [verdict for verdict in self._recent if verdict is not None]
        faults = [verdict.warning.fault for verdict in found]
        common = max(faults, key=faults.count, default=None)
        if common is None or 2 * faults.count(common) <= len(self._recent):
            return None
        same = sorted((v for v in found if v.warning.fault is common), key=lambda verdict: verdict.figure)
        return same[len(same) // 2]


def _judge(frame: Frame, matches: Matches, thoroughly: bool) -> _Verdict | None:
    """Name the fault of a pair; None if it is as calibrated. Small misalignments are only sought if `thoroughly`."""
    assert frame.right is not None
    assert frame.rig is not None
    if len(matches) < _FEW_MATCHES:
        return _unmatched(frame, f"left and right image have only {len(matches)} matches", len(matches))
    few = evenly(len(matches))
    distances = np.sort(np.abs(matches.points_b[few] - matches.points_a[few]).max(axis=1))
    moved_px = float(distances[int(0.8 * len(distances))])
    if moved_px < _SAME_PX:
        text = (
            f"left and right are the same image (80 % of the points are within {moved_px:.2f} px of each other): check "
            "the source of the right one"
        )
        return _Verdict(InputWarning(InputFault.STEREO_SAME, text), moved_px)
    deviation = RigDeviation.of(matches, frame.camera, frame.rig)
    share = deviation.as_calibrated.share_within(_ON_CURVE_PX)
    named = _swapped(deviation, frame, matches) or _of_two_times(deviation, frame.rig.baseline)
    if named is None and (thoroughly or share < _LEAST_SHARE):
        named = _misaligned(deviation)
    if named is None and share < _LEAST_SHARE:
        return _unmatched(frame, f"only {share:.0%} of the left-right matches fit the calibration", share)
    return named


def _swapped(deviation: RigDeviation, frame: Frame, matches: Matches) -> _Verdict | None:
    """Try the rig with the images exchanged: the points are then in front of it, and were behind."""
    assert frame.rig is not None
    if _share_in_front(deviation, -_NO_DISPARITY_PX) > _FEW_IN_FRONT:
        return None
    exchanged = replace(matches, points_a=matches.points_b, points_b=matches.points_a)
    share = _share_in_front(RigDeviation.of(exchanged, frame.camera, frame.rig), _NO_DISPARITY_PX)
    if share < _LEAST_SHARE:
        return None
    text = (
        f"{share:.0%} of the left-right matches fit the calibration with the images exchanged: left and right are "
        "swapped (or cx of one of them is wrong)"
    )
    return _Verdict(InputWarning(InputFault.STEREO_SWAPPED, text), share)


def _share_in_front(deviation: RigDeviation, least_px: float) -> float:
    on_curve = np.abs(deviation.as_calibrated.residuals_px) <= _ON_CURVE_PX
    return float((on_curve & (deviation.disparities_px > least_px)).mean())


def _of_two_times(deviation: RigDeviation, baseline: float) -> _Verdict | None:
    if deviation.as_calibrated.typical_px < _FINE_PX or deviation.turned.typical_px < _FINE_TURNED_PX:
        return None
    displaced = deviation.displaced
    slants = displaced.values[SLANT]
    slant = float(np.hypot(*slants))
    is_sure = slant > max(_LARGEST_SLANT, _SURE_SLANT * float(displaced.sigmas[SLANT].max()))
    explains = displaced.share_within(_ON_CURVE_PX) > _LEAST_EXPLAINED
    if not (is_sure and explains) or displaced.typical_px > _RESIDUALS_LEFT * deviation.turned.typical_px:
        return None
    down, ahead = slants
    along, sides = (ahead, ("ahead of", "behind")) if abs(ahead) > abs(down) else (down, ("below", "above"))
    # Any relative pose explains one plane, so the fit may be that of the plane's picture alone.
    is_plane = deviation.share_on_plane(_ON_CURVE_PX) > _LARGEST_PLANE * displaced.share_within(_ON_CURVE_PX)
    other = ", or one flat thing fills most of the view and does not fit the calibration" if is_plane else ""
    text = (
        f"the right camera looks {slant * baseline:.2g} m {sides[int(along < 0)]} its place: left and right image are "
        f"of different times, synchronize the cameras{other}"
    )
    return _Verdict(InputWarning(InputFault.STEREO_TIMES, text), slant)


def _misaligned(deviation: RigDeviation) -> _Verdict | None:
    turned, (half_x, half_y) = deviation.turned, deviation.half_size
    lever = np.array([1.0, half_x, half_y])
    unknowns = [PITCH, ROLL, SCALE]
    errors_px = deviation.focal * lever * turned.values[unknowns]
    sigmas_px = deviation.focal * lever * turned.sigmas[unknowns]
    large = np.abs(errors_px) > np.maximum(_LARGEST_MISALIGNMENT_PX, _SURE * sigmas_px)
    if not large.any() or turned.share_within(_ON_CURVE_PX) < _LEAST_SHARE:
        return None
    pitch_px, roll, scale = errors_px[0], np.degrees(turned.values[ROLL]), turned.values[SCALE]
    descriptions = (
        f"{abs(pitch_px):.1f} px {'lower' if pitch_px > 0 else 'higher'}",
        f"turned by {abs(roll):.2f} degrees {'counterclockwise' if roll > 0 else 'clockwise'}",
        f"{abs(scale):.1%} {'larger' if scale > 0 else 'smaller'}",
    )
    said = " and ".join(text for text, is_large in zip(descriptions, large, strict=True) if is_large)
    text = (
        f"against its calibration the right image is {said}: calibrate the pair again, or check that both images are "
        "of the same time and size"
    )
    return _Verdict(InputWarning(InputFault.STEREO_MISALIGNED, text), float(np.abs(errors_px).max()))


def _unmatched(frame: Frame, text: str, figure: float) -> _Verdict:
    """Say what the right image itself shows of the cause."""
    assert frame.right is not None
    quality = ImageQuality.of(frame.right).fault(ImageQuality.of(frame.image))
    turned = how_turned(frame.image, frame.right)
    if quality:
        cause = f"{quality.value} on the right, check whether the lens is covered"
    elif turned:
        cause = f"the right image is {turned}, correct that in its driver"
    else:
        cause = "check that both images are of one place and time, and the calibration of this pair"
    return _Verdict(InputWarning(InputFault.STEREO_UNMATCHED, f"{text}: {cause}"), figure)
