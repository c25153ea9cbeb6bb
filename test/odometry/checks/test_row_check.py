"""Interlaced images and Bayer mosaics made of recorded images."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault
from loftr_ros.odometry.checks.row_check import RowCheck

SEQUENCES = [
    *("kitti/sequences/06/image_0", "euroc/V1_01_static/mav0/cam0/data", "tum/fr1_desk/rgb"),
    *("tum/tartanair_corridor/rgb", "tum/7scenes_kitchen/rgb"),
]
Image = NDArray[np.uint8]


def images(folder: Path, count: int, flags: int = cv2.IMREAD_GRAYSCALE) -> list[Image]:
    return [np.asarray(cv2.imread(str(path), flags), np.uint8) for path in sorted(folder.iterdir())[:count]]


def faults(frames: Iterable[Image]) -> list[InputFault | None]:
    check, found = RowCheck(), []
    for image in frames:
        check.add_frame(image)
        found.append(check.warning.fault if check.warning else None)
    return found


@pytest.mark.parametrize("name", SEQUENCES)
def test_recorded_images_have_no_warning(recorded: Callable[[str], Path], name: str) -> None:
    assert set(faults(images(recorded(name), 40))) == {None}


@pytest.mark.parametrize("name", ["kitti/sequences/06/image_0", "tum/fr1_desk/rgb", "tum/tartanair_corridor/rgb"])
def test_interlaced_images(recorded: Callable[[str], Path], name: str) -> None:
    frames = images(recorded(name), 9)
    for before, image in zip(frames[:-1], [frame.copy() for frame in frames[1:]], strict=True):
        image[1::2] = before[1::2]
        before[:] = image
    assert faults(frames[:-1]) == [None, None, *[InputFault.INTERLACED] * 6]


def test_bayer_mosaic(recorded: Callable[[str], Path]) -> None:
    mosaics = []
    for color in images(recorded("tum/7scenes_kitchen/rgb"), 5, cv2.IMREAD_COLOR):
        mosaics.append(color[:, :, 1].copy())
        mosaics[-1][::2, ::2], mosaics[-1][1::2, 1::2] = color[::2, ::2, 2], color[1::2, 1::2, 0]
    assert faults(mosaics) == [None, None, *[InputFault.BAYER] * 3]


def test_single_images_and_those_without_contrast_have_no_warning(texture: Image) -> None:
    combed = texture.copy()
    combed[::2] = 255 - combed[::2]
    assert faults([texture, combed, texture, texture, combed, texture, texture]) == [None] * 7
    assert faults([np.zeros((48, 64), np.uint8), np.zeros((1, 1), np.uint8)] * 3) == [None] * 6
    rng = np.random.default_rng(0)
    assert faults(rng.integers(0, 9, (480, 640), np.uint8) for _ in range(6)) == [None] * 6
