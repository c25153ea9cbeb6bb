"""Frame-by-frame visual odometry against a keyframe.

LoFTR has no repeatable keypoints, but all images matched against one image a share the cells of its grid. So the
keyframe is always image a, and a cell of it is a track: depth is known, and improved, by cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import FeaturesT, Matcher, Matches
from loftr_ros.odometry import se3
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.depth import CellDepths, carry_over, depths_from_stereo
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.frame import Frame
from loftr_ros.odometry.frame_check import check_frame
from loftr_ros.odometry.keyframe import Keyframe
from loftr_ros.odometry.motion import COVARIANCE_FLOOR, estimate_motion
from loftr_ros.odometry.polish import polish
from loftr_ros.odometry.track import Fix, Track


class VisualOdometry(Generic[FeaturesT]):
    """Turns frames into poses. Not thread-safe: one worker owns it."""

    def __init__(self, matcher: Matcher[FeaturesT], config: OdometryConfig | None = None) -> None:
        """Start at the origin of odom, with nothing seen yet."""
        self._matcher = matcher
        self._config = config or OdometryConfig()
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next frame is the origin of odom again."""
        self._keyframe: Keyframe[FeaturesT] | None = None
        self._last_frame: Frame | None = None
        self._track = Track(self._config)

    def process(self, frame: Frame) -> OdometryEstimate:
        """Estimate the pose of the next frame.

        Raises:
            FrameError: the images do not fit the mode, the camera or the frames before.
            StampError: the stamp is not after that of the frame before.
        """
        check_frame(frame, self._last_frame, self._config.mode)
        self._last_frame = frame
        clock = _StageClock()
        with clock("extract"):
            features = self._matcher.extract(frame.image)
        if self._keyframe is None:
            return self._begin(frame, features, clock)
        with clock("match"):
            matches = _finite(self._matcher.match(self._keyframe.features, features))
        with clock("polish"):
            matches = self._polish(self._keyframe.frame.image, frame.image, matches)
        with clock("pose"):
            keyframe = self._keyframe.with_depth_of(matches, self._config)
            fix = self._locate(keyframe, frame, matches)
        with clock("keyframe"):
            keyframe = keyframe.learned(matches, fix.motion, self._config)
            renewed = self._is_worn_out(keyframe, matches, fix)
            self._keyframe = self._next_keyframe(keyframe, frame, features, matches, fix) if renewed else keyframe
        return self._report(frame, keyframe, matches, fix, renewed, clock)

    def _begin(self, frame: Frame, features: FeaturesT, clock: _StageClock) -> OdometryEstimate:
        """Make the first frame the first keyframe."""
        with clock("keyframe"):
            depths = self._measured_depths(frame, features)
            self._keyframe = Keyframe(frame, features, np.eye(4), np.zeros((6, 6)), depths)
        fix = self._track.last
        self._track.rebase(frame.stamp_ns, fix)
        return self._report(frame, self._keyframe, _no_matches(), fix, True, clock)

    def _locate(self, keyframe: Keyframe[FeaturesT], frame: Frame, matches: Matches) -> Fix:
        """Hold the pose of a camera that stands still, measure it where matches agree, predict it elsewhere."""
        if self._track.is_still(matches):
            return self._track.hold(frame.stamp_ns, matches)
        motion = estimate_motion(
            keyframe.rays(matches),
            frame.camera.focal,
            self._track.last.T_keyframe_camera[:3, 3],
            self._track.baseline(1e-9 * (frame.stamp_ns - keyframe.frame.stamp_ns)),
            self._config,
        )
        if motion is None:
            return self._track.predict(frame.stamp_ns, matches)
        return self._track.advance(frame.stamp_ns, matches, motion)

    def _is_worn_out(self, keyframe: Keyframe[FeaturesT], matches: Matches, fix: Fix) -> bool:
        """Tell whether this frame should replace the keyframe."""
        if fix.motion is not None:
            return keyframe.is_worn_out(matches, fix.motion, self._config)
        return self._track.lost_frames >= self._config.lost_frames_to_restart

    def _next_keyframe(
        self, old: Keyframe[FeaturesT], frame: Frame, features: FeaturesT, matches: Matches, fix: Fix
    ) -> Keyframe[FeaturesT]:
        """Make this frame the keyframe; the depth of the old one carries over along the matches."""
        self._track.rebase(frame.stamp_ns, fix)
        T_odom_camera, covariance = _in_odom(old, fix)
        carried = carry_over(matches.select(fix.inliers), frame.camera, old.depths, fix.T_keyframe_camera)
        depths = self._measured_depths(frame, features)
        return Keyframe(frame, features, T_odom_camera, covariance, depths, carried)

    def _measured_depths(self, frame: Frame, features: FeaturesT) -> CellDepths:
        """Match a stereo pair; in the other modes nothing is measured before a second frame has been matched."""
        if self._config.mode != "stereo" or frame.right is None:
            return CellDepths.empty()
        matches = _finite(self._matcher.match(features, self._matcher.extract(frame.right)))
        matches = self._polish(frame.image, frame.right, matches)
        return depths_from_stereo(matches, frame.camera, self._config.ransac_threshold_px, self._config.match_noise_px)

    def _polish(self, image_a: NDArray[np.uint8], image_b: NDArray[np.uint8], matches: Matches) -> Matches:
        return polish(image_a, image_b, matches, self._config.polish_max_shift_px) if self._config.polish else matches

    def _report(
        self,
        frame: Frame,
        reference: Keyframe[FeaturesT],
        matches: Matches,
        fix: Fix,
        is_keyframe: bool,
        clock: _StageClock,
    ) -> OdometryEstimate:
        T_odom_camera, covariance = _in_odom(reference, fix)
        return OdometryEstimate(
            stamp_ns=frame.stamp_ns,
            T_odom_camera=T_odom_camera,
            pose_covariance=covariance + COVARIANCE_FLOOR,
            twist=fix.twist,
            twist_covariance=fix.twist_covariance,
            state=fix.state,
            matches=matches,
            inliers=fix.inliers,
            reference=reference.frame if len(matches) else None,
            parallax_px=fix.parallax_px,
            timings_ms=clock.timings_ms,
            scale_known=self._config.mode != "mono",
            is_keyframe=is_keyframe,
        )


class _StageClock:
    """Measures the stages of one frame, in milliseconds."""

    def __init__(self) -> None:
        self.timings_ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self.timings_ms[stage] = 1e3 * (perf_counter() - start)


def _in_odom(keyframe: Keyframe[FeaturesT], fix: Fix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pose of the camera in odom and its covariance."""
    covariance = se3.composed_covariance(
        keyframe.T_odom_camera, keyframe.covariance, fix.T_keyframe_camera, fix.covariance
    )
    return keyframe.T_odom_camera @ fix.T_keyframe_camera, covariance


def _finite(matches: Matches) -> Matches:
    """Drop matches with a coordinate that is no number, as half precision may give."""
    coordinates = np.hstack([matches.points_a, matches.points_b])
    return matches.select(np.asarray(np.isfinite(coordinates).all(axis=1)))


def _no_matches() -> Matches:
    empty = np.zeros((0, 2), np.float32)
    return Matches(empty, empty, np.zeros(0, np.float32), np.zeros(0, np.int64))
