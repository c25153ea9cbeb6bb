"""Bounded map of past keyframes, and the choice of the one that shares most of the view with the current one.

The features of an image take 11 MB at 640 x 480 (compact network), so only those of the keyframes used last are kept;
the others are extracted again when they are matched. An image takes 0.3 MB, with a depth image 1.5 MB.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Generic, cast

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.matches import FeaturesT, Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import homogeneous
from loftr_ros.odometry.geometry.robust import SIGNIFICANT_SIGMAS
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.joint_poses import JointPoses
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.mapping.keyframe_history import SAME_VIEW

# Largest predicted image motion between a keyframe and a view that it is matched with again, as a share of the image
# width.
_REACH = SAME_VIEW
# Least detour of a revisit, likewise: the image motion summed over the path since, beyond the direct one. Without a
# detour, as in driving straight on, the path is as good as the direct pose.
# derived: 2 _REACH; there and back again.
_DETOUR = 2 * _REACH
# Least image motion between two stored keyframes, likewise.
# derived: _REACH / 2, so that one is within reach in between.
_SPACING = _REACH / 2
# Largest correction of the view, likewise: more is not drift but another place that looks the same.
# derived: _REACH / 2, the spacing of the keyframes.
_MAX_CORRECTION = _REACH / 2
# Errors outside of the covariances, as of calibration, shutter and registration: standard deviation as a share of the
# image motion.
# measured: docs/odometry.md, "drift over 20 keyframes".
_UNMODELED_SHARE = 0.03
# The same, independent of the motion, pixels.
# measured: docs/odometry.md, "drift over 20 keyframes".
_UNMODELED_PX = 0.25
# Number of points of a keyframe whose image motion is predicted.
# numerical: bounds run time and memory.
_POINTS = 48
# Number of keyframes whose features are kept.
# numerical: bounds the memory.
_CACHED_FEATURES = 8
_UNKNOWN = np.full((4, _POINTS), np.nan)


@dataclass
class Place(Generic[FeaturesT]):
    """A stored keyframe.

    Attributes:
        keyframe: without features; its pose is that of its time, see `JointPoses` for the corrected one.
        features: None where they have to be extracted again.
        points: (4, M) points seen by it: x, y, 1 on the plane z = 1 and inverse depth; NaN if none are known.
        last_used: number of the keyframe that was current when it was.
        passed_at: image motion of the path up to it, normalized.
        is_spare: whether it is near another one.
        num_measured: number of keyframes measured against it.
    """

    keyframe: Keyframe[FeaturesT]
    features: FeaturesT | None
    points: Array
    last_used: int
    passed_at: float
    is_spare: bool = False
    num_measured: int = 1

    @property
    def distance(self) -> float:
        """Median distance of the points; 1, the unit, while none are known or all are at infinity."""
        inverse_depth = float(np.median(self.points[3]))
        return 1.0 / inverse_depth if inverse_depth > 0 else 1.0


class KeyframeMap(Generic[FeaturesT]):
    """The stored keyframes and the joint distribution of their poses; one of them is current."""

    def __init__(self, count: int) -> None:
        """Store up to `count` keyframes, the current one included."""
        self._count = count
        self._places: list[Place[FeaturesT]] = []
        self._current = 0
        self._added = 0
        self._travelled = 0.0  # image motion of the path, normalized
        self.joint = JointPoses(count + 1)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def current(self) -> int:
        """Index of the current keyframe."""
        return self._current

    def restart(self, keyframe: Keyframe[FeaturesT]) -> None:
        """Drop all keyframes but this one."""
        self._places, self._current, self._added, self._travelled = [_place(keyframe, 0, 0.0)], 0, 0, 0.0
        self.joint.start(keyframe.T_odom_camera, keyframe.covariance)

    def return_to(self, keyframe: Keyframe[FeaturesT]) -> None:
        """Make an earlier keyframe the current one again; the one that was current is dropped."""
        index = self.index_of(keyframe.frame)
        if index is None:
            self.restart(keyframe)
            return
        left, self._current = self._current, index
        if left != index:
            self._remove(left)

    def add(
        self,
        retired: Keyframe[FeaturesT],
        matches: Matches,
        successor: Keyframe[FeaturesT],
        T_retired_successor: Array,
        covariance: Array,
        scale_sigma: float,
        kept: Collection[int] = (),
    ) -> None:
        """Add the successor of the current keyframe and make it current.

        Args:
            retired: the current keyframe, with all of its depths.
            matches: of the two.
            successor: the new one.
            T_retired_successor, covariance: (4, 4) pose of the successor in the current one, and (6, 6) covariance.
            scale_sigma: see `JointPoses.add`.
            kept: stamps of keyframes that are in use elsewhere, and so stored even near others.
        """
        parent, self._added = self._current, self._added + 1
        self._places[parent].keyframe = _reduced(retired)
        self.joint.scales[parent] = 1.0  # which its depths contain
        self._places[parent].points = _points(retired, matches)
        self._places[parent].last_used = self._added
        self._places.append(_place(successor, self._added, 0.0))
        motion = _motions(self._places[parent].points[None], T_retired_successor)[0]
        motion = min(motion, self._normalized(_DETOUR))
        self.joint.add(parent, T_retired_successor, covariance, self._unmodeled(parent, motion), scale_sigma)
        self._current = len(self) - 1
        self._travelled += motion
        self._places[-1].passed_at = self._travelled
        self._thin(parent, kept)
        self._limit()

    def revisited(self) -> int | None:
        """Return the index of the keyframe nearest to the current one that the path since has made a detour from."""
        motions, reach = self._motions_to(self._current), self._normalized(_REACH)
        path = self._travelled - np.array([place.passed_at for place in self._places])
        with np.errstate(invalid="ignore"):
            motions[~(path - motions >= self._normalized(_DETOUR))] = np.inf
        index = int(np.argmin(motions))
        if motions[index] > reach or SIGNIFICANT_SIGMAS * self._motion_sigma(index) > reach:
            return None
        return index

    def correct(self, index: int, T_keyframe_current: Array, covariance: Array) -> bool:
        """Correct all poses by the current keyframe measured against a stored one; see `JointPoses.correct`.

        A correction that moves the view by more than the spacing of the keyframes is rejected.
        The errors of the stored depths are common to all measurements against a keyframe, of which its successor had
        the first. So the covariance of the n-th is multiplied by n, and their information grows with the logarithm of
        their number only.
        """
        factor, points = self._places[index].num_measured + 1, self._places[index].points[None]
        T_predicted = se3.inverse(self.joint.poses[index]) @ self.joint.poses[self._current]
        if not _motions(points, T_keyframe_current, T_predicted)[0] <= self._normalized(_MAX_CORRECTION):
            return False
        unmodeled = self._unmodeled(index, _motions(points, T_keyframe_current)[0])
        if not self.joint.correct(index, self._current, T_keyframe_current, factor * covariance, factor * unmodeled):
            return False
        self._places[index].num_measured += 1
        return True

    def place(self, index: int) -> Place[FeaturesT]:
        """Return a stored keyframe, which counts as used now."""
        self._places[index].last_used = self._added
        return self._places[index]

    def index_of(self, frame: Frame) -> int | None:
        """Return the index of the keyframe of a frame; None if it is not stored."""
        stamps = [place.keyframe.frame.stamp_ns for place in self._places]
        return stamps.index(frame.stamp_ns) if frame.stamp_ns in stamps else None

    def _normalized(self, share: float) -> float:
        """Return a share of the image width in normalized coordinates."""
        camera = self._places[self._current].keyframe.frame.camera
        return share * camera.width / camera.focal

    def _motions_to(self, target: int) -> Array:
        """(N,) median image motion from each stored keyframe to one of them, normalized; infinite where unknown."""
        points = np.stack([place.points for place in self._places])
        motions = _motions(points, np.linalg.inv(np.stack(self.joint.poses)) @ self.joint.poses[target])
        motions[target] = np.inf
        return motions

    def _unmodeled(self, index: int, motion: float) -> Array:
        """(6, 6) covariance of errors outside of the model, in a pose measured against a keyframe."""
        sigma = np.hypot(_UNMODELED_SHARE * motion, _UNMODELED_PX / self._places[index].keyframe.frame.camera.focal)
        return np.diag(np.repeat([sigma * self._places[index].distance, sigma], 3) ** 2)

    def _motion_sigma(self, index: int) -> float:
        """Return the standard deviation of the image motion from a keyframe to the current one, normalized."""
        covariance = self.joint.relative_covariance(index, self._current)
        position, rotation = (np.linalg.eigvalsh(part)[-1] for part in (covariance[:3, :3], covariance[3:, 3:]))
        return float(np.sqrt(max(rotation, 0.0) + max(position, 0.0) / self._places[index].distance ** 2))

    def _thin(self, retired: int, kept: Collection[int]) -> None:
        """Drop keyframes that were near another one, or without depth, when they retired; and old features."""
        motions = self._motions_to(retired)
        motions[[index == self._current or place.is_spare for index, place in enumerate(self._places)]] = np.inf
        is_unknown = np.isnan(self._places[retired].points).any()
        self._places[retired].is_spare = bool(is_unknown or motions.min() < self._normalized(_SPACING))
        for index in reversed(range(len(self))):
            place = self._places[index]
            if place.is_spare and index != self._current and place.keyframe.frame.stamp_ns not in kept:
                self._remove(index)
        for place in sorted(self._places, key=lambda place: place.last_used)[:-_CACHED_FEATURES]:
            place.features = None

    def _limit(self) -> None:
        """Drop the keyframes used longest ago."""
        while len(self) > self._count:
            used = [np.inf if index == self._current else place.last_used for index, place in enumerate(self._places)]
            self._remove(int(np.argmin(used)))

    def _remove(self, index: int) -> None:
        del self._places[index]
        self.joint.remove(index)
        self._current -= index < self._current


def _place(keyframe: Keyframe[FeaturesT], number: int, passed_at: float) -> Place[FeaturesT]:
    return Place(_reduced(keyframe), keyframe.features, _UNKNOWN, number, passed_at)


def _reduced(keyframe: Keyframe[FeaturesT]) -> Keyframe[FeaturesT]:
    """Return the keyframe without features, without the right image, and without what is computed from its image."""
    frame = replace(keyframe.frame, right=None, rig=None)
    return replace(keyframe, frame=frame, features=cast(FeaturesT, None))


def _motions(points: Array, T_keyframe_camera: Array, T_keyframe_other: Array | None = None) -> Array:
    """(N,) median image motion of (N, 4, M) points of keyframes from one camera to another; infinite if unknown.

    Args:
        points: see `Place.points`.
        T_keyframe_camera: (N, 4, 4) or (4, 4) poses.
        T_keyframe_other: likewise of the other camera; None: the keyframe itself.
    """
    start = points[:, :2] if T_keyframe_other is None else _projected(points, T_keyframe_other)
    with np.errstate(invalid="ignore"):
        shift = _projected(points, T_keyframe_camera) - start
    motion = np.median(np.hypot(shift[:, 0], shift[:, 1]), axis=1)
    return np.where(np.isnan(motion), np.inf, motion)


def _projected(points: Array, T_keyframe_camera: Array) -> Array:
    """(N, 2, M) normalized projections of (N, 4, M) points of keyframes into cameras; infinite behind the camera."""
    x, y, z = (np.linalg.inv(T_keyframe_camera) @ points)[:, :3].transpose(1, 0, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([np.where(z > 0, x / z, np.inf), np.where(z > 0, y / z, np.inf)], axis=1)


def _points(keyframe: Keyframe[FeaturesT], matches: Matches) -> Array:
    """(4, M) points of some of the matches with depth."""
    inverse_depth, _ = keyframe.depths.at(matches.cell_a)
    known = np.flatnonzero(np.isfinite(inverse_depth))
    if len(known) == 0:
        return _UNKNOWN
    known = known[np.linspace(0, len(known) - 1, _POINTS).astype(int)]
    points = homogeneous(keyframe.frame.camera.normalize(matches.points_a[known]))
    return np.vstack([points.T, inverse_depth[known]])
