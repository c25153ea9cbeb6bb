"""Findings on exposure, texture, duplicates, identical stereo pairs and depth."""

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.checkup.findings import Finding, Level
from loftr_ros.checkup.image_survey import ImageSurvey
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame

CAMERA = Camera(320, 200, np.array([[200.0, 0, 159.5], [0, 200.0, 99.5], [0, 0, 1]]))
RIG = StereoRig.rectified(CAMERA, 0.1)
UNIT = "1000 counts a meter"


def findings(*frames: Frame, successive: bool = True) -> dict[str, Finding]:
    survey = ImageSurvey()
    for i, frame in enumerate(frames):
        survey.add(frame, frames[i - 1] if i and successive else None)
    return {finding.name: finding for finding in (*survey.findings(), *survey.depth_finding(UNIT))}


def frame(image: NDArray[np.uint8], **more: object) -> Frame:
    return Frame(0, image, CAMERA, **more)  # type: ignore[arg-type]


def test_good_images(texture: NDArray[np.uint8]) -> None:
    found = findings(*(frame(np.roll(texture, i, axis=1)) for i in range(4)))
    assert [finding.level for finding in found.values()] == [Level.OK, Level.OK]
    assert found["exposure"].figure.endswith("of 4 images none faulty")
    assert found["exposure"].values["gray_level"] == pytest.approx(texture.mean(), abs=2)


def test_dark_images_and_a_covered_right_camera(texture: NDArray[np.uint8]) -> None:
    dark = np.full_like(texture, 3)
    found = findings(frame(texture), frame(dark), frame(texture), successive=False)["exposure"]
    assert (found.level, "1 too dark" in found.figure) == (Level.WARNING, True)
    assert "covers the lens" in found.advice
    found = findings(*(frame(np.roll(texture, i), right=dark, rig=RIG) for i in range(3)))
    assert (found["left exposure"].level, found["right exposure"].level) == (Level.OK, Level.ERROR)


def test_a_blurred_image_beside_a_sharp_one(texture: NDArray[np.uint8]) -> None:
    import cv2

    blurred = np.asarray(cv2.GaussianBlur(texture, (0, 0), 6), np.uint8)
    found = findings(frame(texture), frame(blurred))["exposure"]
    assert (found.level, "1 blurred" in found.figure) == (Level.WARNING, True)


def test_repeated_images(texture: NDArray[np.uint8]) -> None:
    found = findings(frame(texture), frame(texture.copy()), frame(texture[::-1].copy()))["duplicates"]
    assert (found.level, found.values["duplicates"]) == (Level.WARNING, 1)


def test_identical_stereo_pairs(texture: NDArray[np.uint8]) -> None:
    twins = [frame(np.roll(texture, i), right=np.roll(texture, i), rig=RIG) for i in range(3)]
    assert findings(*twins)["identical pair"].level is Level.ERROR
    other = frame(texture[::-1].copy(), right=texture, rig=RIG)
    assert findings(*twins, other)["identical pair"].level is Level.WARNING
    assert "identical pair" not in findings(other)


@pytest.mark.parametrize(
    ("meters", "known", "level"),
    [(3.0, 0.9, "ok"), (0.4, 0.9, "ok"), (40.0, 0.3, "ok"), (1500.0, 0.9, "warning"), (0.05, 0.9, "warning"),
     (3.0, 0.05, "warning"), (3.0, 0.0, "error")],
)  # fmt: skip
def test_depth(texture: NDArray[np.uint8], meters: float, known: float, level: str) -> None:
    depth = np.full(texture.shape, np.nan, np.float32)
    depth.ravel()[: round(known * depth.size)] = meters
    found = findings(frame(texture, depth=depth))["depth"]
    assert found.level.value == level
    assert UNIT in found.figure
    if known:
        assert found.values == pytest.approx({"median_m": meters, "known_share": known}, abs=1e-3)
