"""Findings on the calibration."""

import numpy as np
import pytest

from loftr_ros.checkup.calibration_findings import calibration_findings, field_of_view
from loftr_ros.checkup.findings import Level
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig


def camera(focal: float = 320.0, model: str = "none", distortion: tuple[float, ...] = ()) -> Camera:
    K = np.array([[focal, 0, 319.5], [0, focal, 239.5], [0, 0, 1]])
    return Camera(640, 480, K, model, np.array(distortion))


def test_field_of_view_is_that_of_the_lens() -> None:
    assert field_of_view(camera()) == pytest.approx((90.0, 73.74), abs=0.01)
    barrel = field_of_view(camera(model="plumb_bob", distortion=(-0.1, 0.0, 0.0, 0.0)))
    assert barrel[0] == pytest.approx(2 * np.degrees(np.arctan(1.1535)), abs=0.2)  # x - 0.1 x^3 = 1 at the border
    fisheye = camera(640 / np.pi, "equidistant", (0.0, 0.0, 0.0, 0.0))
    assert field_of_view(fisheye) == pytest.approx((180.0, 135.0))


def test_a_stereo_rig_and_a_warning_for_an_implausible_one() -> None:
    good, view, baseline = calibration_findings(camera(), StereoRig.rectified(camera(), 0.1))
    assert {finding.level for finding in (good, view, baseline)} == {Level.OK}
    assert baseline.figure == "0.1 m, cameras turned by 0 degrees; 10 m away is 3.2 px of disparity"
    bad, *_ = calibration_findings(camera(), StereoRig.rectified(camera(), 100.0))
    assert bad.level is Level.WARNING
    assert "baseline is 100 m" in bad.advice
    known, *_ = calibration_findings(camera(3000.0), None, "")
    assert known.level is Level.OK
