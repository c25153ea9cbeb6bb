"""Image pairs with ground truth, from recorded sequences and from lists of pairs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from data import RECORDINGS as PATHS
from data import BenchError, data_folder
from numpy.typing import NDArray
from tasks import HomographyTask, PoseTask, Task

from loftr_ros.evaluation.ate import associate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.sequences.formats import open_sequence
from loftr_ros.sequences.images import StoredImage, read_gray

SCANNET_SIZE = (640, 480)  # size used in the literature; the images have 1296 x 968


@dataclass(frozen=True)
class Pair:
    """Two image files and the task to solve with their matches."""

    image_a: StoredImage
    image_b: StoredImage
    task: Task


@dataclass(frozen=True)
class PairSet:
    """One table of the report.

    Attributes:
        title: heading of the table.
        pairs: at least one, all with the same kind of task.
        size: (width, height) to resize the images to, or None.
    """

    title: str
    pairs: tuple[Pair, ...]
    size: tuple[int, int] | None = None

    def read(self, path: StoredImage) -> NDArray[np.uint8]:
        """Read an image, (H, W) gray, at the size of the set."""
        image = read_gray(path)
        return image if self.size is None else np.asarray(cv2.resize(image, self.size, interpolation=cv2.INTER_AREA))


@dataclass(frozen=True)
class Recording:
    """A sequence of the data folder.

    Attributes:
        path: folder of the sequence, relative to the data folder for those in `RECORDINGS`.
        strides: frame distances of the pairs.
        min_stride: below it the ground truth is not accurate enough.
        opencv_threshold_px: RANSAC threshold of the OpenCV pipeline.
    """

    path: Path
    strides: tuple[int, ...] = (1, 3, 5, 8)
    min_stride: int = 1
    opencv_threshold_px: float = 1.0

    def pair_sets(self, strides: Sequence[int] | None, overlapping: bool) -> Iterator[PairSet]:
        """Yield one set per stride: pairs (0, stride), (stride, 2 stride), ..., or from each frame if `overlapping`.

        Raises:
            BenchError: no ground truth, or too few frames.
            SequenceError: the sequence cannot be read.
        """
        sequence = open_sequence(self.path)
        if sequence.ground_truth is None:
            raise BenchError(f"{self.path} has no ground truth to measure against.")
        images = {entry.stamp_ns: entry.image for entry in sequence.entries}
        stamps = np.array(list(images), np.int64)
        known, truth = associate(Trajectory(stamps, np.tile(np.eye(4), (len(stamps), 1, 1))), sequence.ground_truth)
        paths = [images[int(stamp)] for stamp in known.stamps_ns]
        for stride in strides or self.strides:
            if stride < self.min_stride:
                continue
            starts = range(0, len(paths) - stride, 1 if overlapping else stride)
            if not starts:
                raise BenchError(
                    f"{self.path} has {len(paths)} frames with ground truth, too few for --strides {stride}."
                )
            pairs = (
                Pair(paths[i], paths[i + stride], self._task(sequence.camera, truth.poses[[i, i + stride]]))
                for i in starts
            )
            yield PairSet(f"{sequence.name}, stride {stride}", tuple(pairs))

    def _task(self, camera: Camera, T_world_camera: NDArray[np.float64]) -> PoseTask:
        T_a_b = se3.inverse(T_world_camera[0]) @ T_world_camera[1]
        return PoseTask(camera, camera, T_a_b, self.opencv_threshold_px)


RECORDINGS = {
    "kitti06": Recording(PATHS["kitti06"], opencv_threshold_px=0.7),
    "corridor": Recording(PATHS["corridor"]),
    # Its color camera is calibrated only approximately.
    "kitchen": Recording(PATHS["kitchen"], strides=(10, 20), min_stride=10),
}


def scannet_pairs(data: Path) -> Iterator[PairSet]:
    """Yield wide baselines indoors: the 15 pairs published by the authors of SuperGlue."""
    folder = data / "pairs" / "scannet15_superglue"
    pairs = []
    for row in _read_pairs(folder):
        a, b = folder / "images" / row["a"], folder / "images" / row["b"]
        T_a_b = se3.inverse(np.array(row["T_0to1"], np.float64))
        task = PoseTask(_scannet_camera(a, row["K0"]), _scannet_camera(b, row["K1"]), T_a_b, 1.0)
        pairs.append(Pair(a, b, task))
    yield PairSet("ScanNet, wide baselines, at {}x{}".format(*SCANNET_SIZE), tuple(pairs), SCANNET_SIZE)


def _scannet_camera(image: Path, K: list[list[float]]) -> Camera:
    height, width = read_gray(image).shape
    return Camera(width, height, np.array(K)).scaled(*SCANNET_SIZE)


def graf_pairs(data: Path) -> Iterator[PairSet]:
    """Yield the homographies 1 to 2 ... 6 of graf, a planar scene of the Oxford affine data set."""
    folder = data / "pairs" / "graf"
    pairs = []
    for row in _read_pairs(folder):
        a, b = folder / "images" / row["a"], folder / "images" / row["b"]
        height, width = read_gray(a).shape
        pairs.append(Pair(a, b, HomographyTask(np.array(row["H_1to2"], np.float64), width, height)))
    yield PairSet("graf, homographies", tuple(pairs))


LISTS = {"scannet": scannet_pairs, "graf": graf_pairs}


def open_sets(name: str, strides: Sequence[int] | None, overlapping: bool) -> Iterator[PairSet]:
    """Open the pair sets of a name: a part of the data folder, or any sequence folder with ground truth.

    Raises:
        BenchError, SequenceError: data is missing or cannot be used.
    """
    if name not in RECORDINGS and name not in LISTS:
        return Recording(Path(name)).pair_sets(strides, overlapping)
    if name in LISTS:
        return LISTS[name](data_folder())
    recording = RECORDINGS[name]
    return replace(recording, path=data_folder() / recording.path).pair_sets(strides, overlapping)


def _read_pairs(folder: Path) -> list[dict[str, Any]]:
    path = folder / "pairs.json"
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be read ({error}); leave this set out with --sequences.") from error
    return rows
