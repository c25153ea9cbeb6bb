"""Training pairs from recorded RGB-D sequences with ground truth, such as the TUM RGB-D benchmark."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.sequences.formats import open_sequence
from loftr_ros.sequences.sequence import Sequence
from loftr_ros.training.data.posed_images import PosedImage, load_pairs
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.scenes import ViewPair
from loftr_ros.training.data.source_config import RecordedConfig

MAX_DIFFERENCE_NS = 50_000_000  # between an image and the nearest ground truth pose


class RecordedPairsError(LoftrRosError):
    """A sequence that cannot be used for training."""


@dataclass(frozen=True)
class RecordedPairs:
    """Pairs of images of one sequence, a few frames apart.

    Attributes:
        sequence: frames with depth and pose.
        poses: (N, 4, 4) T_world_camera of each frame.
        undistortion: lookup maps to an undistorted image with the same K; None without distortion.
        max_gap: maximum frame distance of a pair.
    """

    sequence: Sequence
    poses: NDArray[np.float64]
    undistortion: tuple[NDArray[np.float32], NDArray[np.float32]] | None
    max_gap: int

    @classmethod
    def open(cls, config: RecordedConfig) -> RecordedPairs:
        """Open the sequence; frames without depth image or pose are skipped.

        Raises:
            RecordedPairsError: no usable ground truth, or too few frames.
            SequenceError: not an RGB-D sequence, or not readable.
        """
        folder = Path(os.path.expandvars(config.folder))
        sequence = open_sequence(folder, "rgbd")
        truth = sequence.ground_truth
        if truth is None or len(truth) < 2:
            reason = sequence.ground_truth_fault or f"{folder} has no ground truth."
            raise RecordedPairsError(f"The poses of {folder} are needed, but {reason}")
        stamps = np.array([entry.stamp_ns for entry in sequence.entries], np.int64)
        posed, poses = interpolated(truth, stamps)
        if len(poses) <= config.max_gap:
            raise RecordedPairsError(
                f"{folder} has {len(poses)} images with depth and pose: too few for a max_gap of {config.max_gap}"
            )
        entries = tuple(entry for entry, known in zip(sequence.entries, posed, strict=True) if known)
        return cls(replace(sequence, entries=entries), poses, _undistortion(sequence.camera), config.max_gap)

    def draw(self, draw: Draw, batch: int, size: tuple[int, int], difficulty: float = 1.0) -> ViewPair:
        """Draw pairs, forward and backward in time."""
        del difficulty  # always the same
        gap = draw.integers(self.max_gap, batch) + 1
        earlier = (draw.uniform(0, 1, batch) * (len(self.poses) - gap)).long()
        backward = draw.chance(0.5, batch)
        first, second = earlier + gap * backward, earlier + gap * ~backward
        return load_pairs(self._load, first.tolist(), second.tolist(), size, draw.device)

    def _load(self, index: int) -> PosedImage:
        frame = self.sequence[index]
        assert frame.depth is not None  # set in all entries of an "rgbd" sequence
        image, depth = frame.image, frame.depth
        if self.undistortion is not None:
            image = np.asarray(cv2.remap(image, *self.undistortion, cv2.INTER_LINEAR), np.uint8)
            depth = np.asarray(cv2.remap(depth, *self.undistortion, cv2.INTER_NEAREST), np.float32)
        return PosedImage(image, depth, frame.camera.K, self.poses[index])


def interpolated(truth: Trajectory, stamps_ns: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Interpolate poses: which of the (N,) stamps are between two ground truth poses, and their (M, 4, 4) poses.

    The nearest pose would not be accurate enough: 5 ms correspond to 5 mm or more for a hand-held camera.
    """
    after = np.searchsorted(truth.stamps_ns, stamps_ns).clip(1, len(truth) - 1)
    before_ns, after_ns = truth.stamps_ns[after - 1], truth.stamps_ns[after]
    since, until = stamps_ns - before_ns, after_ns - stamps_ns
    known = (since >= 0) & (until >= 0) & (np.minimum(since, until) <= MAX_DIFFERENCE_NS)
    seconds = (truth.stamps_ns - truth.stamps_ns[0]) / 1e9
    wanted = (stamps_ns[known] - truth.stamps_ns[0]) / 1e9
    poses = np.tile(np.eye(4), (len(wanted), 1, 1))
    if len(wanted):
        poses[:, :3, :3] = Slerp(seconds, Rotation.from_matrix(truth.poses[:, :3, :3]))(wanted).as_matrix()
        poses[:, :3, 3] = np.stack([np.interp(wanted, seconds, axis) for axis in truth.positions.T], axis=1)
    return known, poses


def _undistortion(camera: Camera) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    if camera.distortion_model == "none":
        return None
    fisheye = camera.distortion_model == "equidistant"
    init = cv2.fisheye.initUndistortRectifyMap if fisheye else cv2.initUndistortRectifyMap
    size = (camera.width, camera.height)
    map_x, map_y = init(camera.K, camera.distortion, np.eye(3), camera.K, size, cv2.CV_32FC1)
    return np.asarray(map_x, np.float32), np.asarray(map_y, np.float32)
