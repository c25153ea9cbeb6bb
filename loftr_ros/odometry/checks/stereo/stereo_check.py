"""Detects swapped, unsynchronized, misaligned and unmatched stereo pairs."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.flipped_image import detected_flip
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.stereo.rig_deviation import PITCH, ROLL, SCALE, SLANT, RigDeviation, subsampling
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.image_quality import ImageQuality

# Sliding window of pairs, most of which must have a fault. After the first pairs only every tenth is tested if some
# of its matches fit the calibration: small misalignments are constant, and so are swapped and identical images.
_WINDOW, _DENSE_PAIRS, _CADENCE, _SOME_MATCHES = 9, 3, 10, 100
# Values below are medians over the pairs of KITTI 06, EuRoC V1_01 and the rendered room, without and with a fault.
# Lower bound of the number of matches: EuRoC at a sixth of its pixels has 370, with a black or mirrored right image at
# most 20.
_MIN_MATCHES = 30
# Epipolar inlier threshold, and lower bound of the inlier ratio: calibrated pairs have at least 0.77, those of two
# places 0.1. Below 1/3 no depth is used (`OdometryConfig.min_inlier_ratio`).
_INLIER_PX, _MIN_INLIER_RATIO = 1.0, 0.5
# Limit of the vertical error at the image border, pixels, and its significance, standard deviations: calibrated rigs
# have up to 0.24. From 1 px on, matches exceed the epipolar inlier threshold.
_MAX_MISALIGNMENT_PX, _MIN_SIGNIFICANCE = 0.8, 5.0
# Limit of the tangent of the angle between measured and calibrated baseline, and its significance: up to 0.02 for
# calibrated rigs, 0.65 for images half a frame apart. A calibration is wrong by a few degrees at most.
_MAX_SLANT, _MIN_SLANT_SIGNIFICANCE = 0.15, 10.0
# Upper bound of the residuals of that fit, relative to those of the recalibrated rig: 0.1 for images of different
# times.
_MAX_RESIDUAL_RATIO = 0.8
# Lower bound of the inlier ratio of that fit: 0.8 for images one frame apart, a third for three frames.
_MIN_EXPLAINED = 0.25
# Share of one plane among the inliers of that fit, above which the cause is ambiguous: 0.22 on a road, 0.3 to 0.5 in a
# hall, and at least 0.43 for a flat object that does not fit the calibration in front of a calibrated rig.
_MAX_PLANE_SHARE = 1 / 3
# Matches that fit the calibration, or else one plane, relative to the inliers of that fit, above which such an object
# is the likelier cause: 0.9 and more with it, up to 0.87 in a hall and 0.46 on a road with images of different times.
_MIN_FLAT_SHARE = 0.9
# Median residuals of calibrated and recalibrated rigs, pixels, below which no relative pose is fitted.
_CALIBRATED_PX, _RECALIBRATED_PX = 0.5, 0.12
# Share of matches that are inliers with positive disparity, and its threshold: 0.01 for a swapped pair, 0.77 after
# exchanging the images.
_MIN_IN_FRONT, _ZERO_DISPARITY_PX = 0.25, 0.5
# Image motion of 80 % of the points between identical images: 0.02 to 0.08 px, 0.21 px after noise or JPEG at 60 %.
_SAME_PX = 0.4


@dataclass(frozen=True)
class _PairFault:
    """Fault of one pair: the warning, its measured value, and whether the pair may give depth nevertheless."""

    warning: InputWarning
    value: float
    gives_depth: bool = True


class StereoCheck:
    """Tests each pair, and warns of a fault of most recent pairs."""

    def __init__(self) -> None:
        """Start without pairs."""
        self._recent: deque[_PairFault | None] = deque(maxlen=_WINDOW)
        self._last: _PairFault | None = None
        self._typical: _PairFault | None = None
        self._pairs = 0

    def add_pair(self, frame: Frame, matches: Matches) -> None:
        """Add a stereo pair and its matches, left to right, outliers included."""
        self._pairs += 1
        is_due = self._pairs <= _DENSE_PAIRS or self._pairs % _CADENCE == 0
        if not is_due and self._last is None and _fits(frame, matches):
            return
        self._last = _pair_fault(frame, matches, thoroughly=is_due)
        if is_due or self._last is not None:
            self._recent.append(self._last)
            self._typical = _typical(self._recent)

    @property
    def has_pairs(self) -> bool:
        """Whether there was a stereo pair."""
        return self._pairs > 0

    @property
    def gives_depth(self) -> bool:
        """Whether the disparities of the last pair are valid depth: not for swapped images or of different times."""
        return self._last is None or self._last.gives_depth

    @property
    def warning(self) -> InputWarning | None:
        """The warning of most recent pairs, with the median of the measured values; None without a fault."""
        return self._typical.warning if self._typical else None

    @property
    def misalignment_px(self) -> float:
        """Largest misalignment in the right image, pixels, if that is the fault; else 0."""
        typical = self._typical
        return typical.value if typical and typical.warning.fault is InputFault.STEREO_MISALIGNED else 0.0


def _typical(recent: Collection[_PairFault | None]) -> _PairFault | None:
    """Return the most common fault, the one with the median value, if most recent pairs have one; else None."""
    found = [fault for fault in recent if fault is not None]
    names = [fault.warning.fault for fault in found]
    common = max(names, key=names.count, default=None)
    if 2 * len(found) <= len(recent):
        return None
    same = sorted((fault for fault in found if fault.warning.fault is common), key=lambda fault: fault.value)
    return same[len(same) // 2]


def _pair_fault(frame: Frame, matches: Matches, thoroughly: bool) -> _PairFault | None:
    """Return the fault of a pair, or None; small misalignments are tested only if `thoroughly`."""
    assert frame.right is not None
    assert frame.rig is not None
    if len(matches) < _MIN_MATCHES:
        return _unmatched(frame, f"left and right image have only {len(matches)} matches", len(matches))
    sampled = subsampling(len(matches))
    moved_x, moved_y = np.abs(matches.points_b[sampled] - matches.points_a[sampled]).T
    distances = np.maximum(moved_x, moved_y)
    rank = int(0.8 * len(distances))
    shift_px = float(np.partition(distances, rank)[rank])
    if shift_px < _SAME_PX:
        text = (
            f"left and right are the same image (80 % of the points are within {shift_px:.2f} px of each other): check "
            "the source of the right one"
        )
        return _PairFault(InputWarning(InputFault.STEREO_SAME, text), shift_px)
    deviation = RigDeviation.of(matches, frame.camera, frame.rig)
    share = deviation.as_calibrated.inlier_ratio(_INLIER_PX)
    fault = _swapped(deviation, frame, matches) or _unsynchronized(deviation, frame.rig.baseline)
    if fault is None and (thoroughly or share < _MIN_INLIER_RATIO):
        fault = _misaligned(deviation)
    if fault is None and share < _MIN_INLIER_RATIO:
        return _unmatched(frame, f"only {share:.0%} of the left-right matches fit the calibration", share)
    return fault


def _fits(frame: Frame, matches: Matches) -> bool:
    """Return whether some matches of a pair fit the calibration and are in front of the rig."""
    assert frame.rig is not None
    if len(matches) < _MIN_MATCHES:
        return False
    some = RigDeviation.of(matches, frame.camera, frame.rig, _SOME_MATCHES)
    (x, y, _), (right_x, right_y, _) = some.focal * some.left, some.focal * some.right
    is_inlier, in_front = np.abs(right_y - y) < _CALIBRATED_PX, x - right_x > _ZERO_DISPARITY_PX
    return bool(min(np.count_nonzero(is_inlier), np.count_nonzero(in_front)) > len(x) / 2)


def _swapped(deviation: RigDeviation, frame: Frame, matches: Matches) -> _PairFault | None:
    """Return the fault of a swapped pair: its points are in front of the rig after exchanging the images only."""
    assert frame.rig is not None
    if _share_in_front(deviation, -_ZERO_DISPARITY_PX) > _MIN_IN_FRONT:
        return None
    exchanged = replace(matches, points_a=matches.points_b, points_b=matches.points_a)
    share = _share_in_front(RigDeviation.of(exchanged, frame.camera, frame.rig), _ZERO_DISPARITY_PX)
    if share < _MIN_INLIER_RATIO:
        return None
    text = (
        f"{share:.0%} of the left-right matches fit the calibration with the images exchanged: left and right are "
        "swapped (or cx of one of them is wrong)"
    )
    return _PairFault(InputWarning(InputFault.STEREO_SWAPPED, text), share, gives_depth=False)


def _share_in_front(deviation: RigDeviation, min_px: float) -> float:
    is_inlier = np.abs(deviation.as_calibrated.residuals_px) <= _INLIER_PX
    return np.count_nonzero(is_inlier & (deviation.disparities_px > min_px)) / len(is_inlier)


def _unsynchronized(deviation: RigDeviation, baseline: float) -> _PairFault | None:
    if deviation.as_calibrated.median_px < _CALIBRATED_PX or deviation.recalibrated.median_px < _RECALIBRATED_PX:
        return None
    relative_pose = deviation.relative_pose
    slants = relative_pose.values[SLANT]
    slant = float(np.hypot(*slants))
    is_significant = slant > max(_MAX_SLANT, _MIN_SLANT_SIGNIFICANCE * float(relative_pose.sigmas[SLANT].max()))
    explains = relative_pose.inlier_ratio(_INLIER_PX) > _MIN_EXPLAINED
    fits_better = relative_pose.median_px <= _MAX_RESIDUAL_RATIO * deviation.recalibrated.median_px
    if not (is_significant and explains and fits_better):
        return None
    down, ahead = slants
    along, sides = (ahead, ("ahead of", "behind")) if abs(ahead) > abs(down) else (down, ("below", "above"))
    place = f"{slant * baseline:.2g} m {sides[int(along < 0)]} its place"
    inlier_ratio = relative_pose.inlier_ratio(_INLIER_PX)
    if _share_of_calibration_and_plane(deviation) > _MIN_FLAT_SHARE * inlier_ratio:
        text = (
            f"only {deviation.as_calibrated.inlier_ratio(_INLIER_PX):.0%} of the left-right matches fit the "
            "calibration: one flat object that fills much of the view is elsewhere on the right, or left and right "
            f"image are of different times (for which the right camera would be {place})"
        )
        return _PairFault(InputWarning(InputFault.STEREO_UNMATCHED, text), slant, gives_depth=False)
    # A relative pose explains any homography, so the fit may be that of a single plane.
    is_plane = deviation.share_on_plane(_INLIER_PX) > _MAX_PLANE_SHARE * inlier_ratio
    other = ", or one flat object fills most of the view and does not fit the calibration" if is_plane else ""
    text = (
        f"the right camera looks {place}: left and right image are of different times, synchronize the cameras{other}"
    )
    return _PairFault(InputWarning(InputFault.STEREO_TIMES, text), slant, gives_depth=False)


def _share_of_calibration_and_plane(deviation: RigDeviation) -> float:
    """Return the share of the matches that fit the calibration, or of the others the best homography."""
    fits = np.abs(deviation.as_calibrated.residuals_px) <= _INLIER_PX
    on_plane = deviation.select(~fits).share_on_plane(_INLIER_PX) if (~fits).sum() >= _MIN_MATCHES else 0.0
    return float(fits.mean() + (1.0 - fits.mean()) * on_plane)


def _misaligned(deviation: RigDeviation) -> _PairFault | None:
    fit, (half_x, half_y) = deviation.recalibrated, deviation.half_size
    radius = np.array([1.0, half_x, half_y])
    parameters = [PITCH, ROLL, SCALE]
    errors_px = deviation.focal * radius * fit.values[parameters]
    sigmas_px = deviation.focal * radius * fit.sigmas[parameters]
    large = np.abs(errors_px) > np.maximum(_MAX_MISALIGNMENT_PX, _MIN_SIGNIFICANCE * sigmas_px)
    if not large.any() or fit.inlier_ratio(_INLIER_PX) < _MIN_INLIER_RATIO:
        return None
    pitch_px, roll, scale = errors_px[0], np.degrees(fit.values[ROLL]), fit.values[SCALE]
    descriptions = (
        f"{abs(pitch_px):.1f} px {'lower' if pitch_px > 0 else 'higher'}",
        f"turned by {abs(roll):.2f} degrees {'counterclockwise' if roll > 0 else 'clockwise'}",
        f"{abs(scale):.1%} {'larger' if scale > 0 else 'smaller'}",
    )
    errors = " and ".join(text for text, is_large in zip(descriptions, large, strict=True) if is_large)
    text = (
        f"against its calibration the right image is {errors}: calibrate the pair again, or check that both images are "
        "of the same time and size"
    )
    return _PairFault(InputWarning(InputFault.STEREO_MISALIGNED, text), float(np.abs(errors_px).max()))


def _unmatched(frame: Frame, text: str, value: float) -> _PairFault:
    """Return the fault of an unmatched pair, with the cause that the right image shows."""
    assert frame.right is not None
    quality = ImageQuality.of(frame.right).fault(ImageQuality.of(frame.image))
    flip = detected_flip(frame.image, frame.right)
    if quality:
        cause = f"{quality.value} on the right, check whether the lens is covered"
    elif flip:
        cause = f"the right image is {flip}, correct that in its driver"
    else:
        cause = "check that both images are of one place and time, and the calibration of this pair"
    return _PairFault(InputWarning(InputFault.STEREO_UNMATCHED, f"{text}: {cause}"), value)
