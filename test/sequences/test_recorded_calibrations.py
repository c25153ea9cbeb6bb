"""The calibrations of recorded sequences cause neither errors nor warnings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.geometry.calibration_check import unlikely
from loftr_ros.odometry.geometry.camera import Camera, checked
from loftr_ros.sequences.formats import open_sequence


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("kitti/sequences/06", "stereo"),
        ("euroc/V1_01_static", "stereo"),
        ("tum/tartanair_corridor", "rgbd"),
        ("tum/7scenes_kitchen", "rgbd"),
        ("tum/fr1_desk", "rgbd"),
    ],
)
def test_recorded_sequences(recorded: Callable[[str], Path], name: str, mode: str) -> None:
    assert open_sequence(recorded(name), cast(Mode, mode)).calibration_warnings == ()


def test_recorded_pairs(recorded: Callable[[str], Path]) -> None:
    folder = recorded("pairs/scannet15_superglue")
    for row in json.loads((folder / "pairs.json").read_text()):
        for image, K in ((row["a"], row["K0"]), (row["b"], row["K1"])):
            height, width = cv2.imread(str(folder / "images" / image)).shape[:2]
            assert unlikely(checked(Camera(width, height, np.array(K)))) == ()
