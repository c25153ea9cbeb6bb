"""Calibration of a TUM RGB-D sequence: camera.yaml, that published for its camera, or a guess.

The downloads hold no calibration; the page of the benchmark lists one for each of its three color cameras, at
https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.sequences.camera_yaml import read_calibration
from loftr_ros.sequences.errors import DamagedImageError
from loftr_ros.sequences.guessed_camera import FieldOfView, calibration_exists, guess_camera
from loftr_ros.sequences.images import StoredImage, read_gray

_SIZE = (640, 480)
# fx, fy, cx, cy, and k1, k2, p1, p2, k3, by the number in the name of the sequence.
_PUBLISHED = {
    "1": ((517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "2": ((520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "3": ((535.4, 539.2, 320.1, 247.6), (0.0, 0.0, 0.0, 0.0, 0.0)),
}
_NAME = re.compile(r"(?:rgbd_dataset_)?freiburg([123])_.*")


def camera_of(
    folder: Path, images: Sequence[StoredImage], fov: FieldOfView | None
) -> tuple[Camera, tuple[str, ...], str]:
    """Return the camera, notes, and what it was guessed from.

    Args:
        folder: of the sequence.
        images: in color.
        fov: guess it from this.

    Raises:
        SequenceError: there is no calibration, or there is one and a guess is asked for.
    """
    path = folder / "camera.yaml"
    name = _NAME.fullmatch(folder.resolve().name)
    published = name is not None and not path.exists() and _has_size(images)
    if fov is not None and (path.exists() or published):
        raise calibration_exists(folder, path.name if path.exists() else "that of its data set")
    if fov is not None:
        guess = guess_camera(fov, images)
        return guess.camera, (guess.note,), guess.origin
    if name is None or not published:
        return read_calibration(path).raw, (), ""
    (fx, fy, cx, cy), distortion = _PUBLISHED[name[1]]
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    note = f"the calibration is that published for freiburg{name[1]}, by the name of the folder"
    return Camera(*_SIZE, K, "plumb_bob", np.array(distortion)), (note,), ""


def _has_size(images: Sequence[StoredImage]) -> bool:
    """Return whether the images have the size of the benchmark, by the first one that can be read."""
    for image in images[:3]:
        try:
            return read_gray(image).shape == _SIZE[::-1]
        except DamagedImageError:
            continue
    return False
