"""Findings on the calibration, in quantities that the data sheet of the camera lists."""

from __future__ import annotations

import numpy as np

from loftr_ros.checkup.findings import Finding, judged
from loftr_ros.odometry.geometry.calibration_check import unlikely
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig


def calibration_findings(camera: Camera, rig: StereoRig | None, implausible: str | None = None) -> list[Finding]:
    """Return the findings on the left (or only) camera and on the stereo rig.

    Args:
        camera, rig: calibration of the images.
        implausible: warning text on implausible values; None: computed, which requires a calibration without roi.
    """
    if implausible is None:
        implausible = "; ".join(unlikely(camera, rig.right if rig else None, rig.baseline if rig else None))
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    horizontal, vertical = field_of_view(camera)
    model = "no distortion" if camera.distortion_model == "none" else camera.distortion_model
    figure = f"fx {fx:.5g}, fy {fy:.5g}, cx {cx:.5g}, cy {cy:.5g} of {camera.width}x{camera.height}, {model}"
    values = {"fx_px": fx, "fy_px": fy, "cx_px": cx, "cy_px": cy, "width_px": camera.width, "height_px": camera.height}
    view = {"horizontal_deg": horizontal, "vertical_deg": vertical}
    return [
        judged("calibration", "camera", figure, implausible, **values),
        judged("calibration", "field of view", f"{horizontal:.0f} x {vertical:.0f} degrees", "", **view),
        *([_baseline(camera, rig)] if rig else []),
    ]


def field_of_view(camera: Camera) -> tuple[float, float]:
    """Return the horizontal and vertical field of view between the centers of opposite image borders, degrees."""
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    width, height = camera.width, camera.height
    if camera.distortion_model == "equidistant":  # may exceed 180 degrees, beyond the plane z = 1
        return float(np.degrees(width / fx)), float(np.degrees(height / fy))
    borders = [(-0.5, cy), (width - 0.5, cy), (cx, -0.5), (cx, height - 0.5)]
    left, right, top, bottom = np.degrees(np.arctan(camera.normalize(borders)))
    return float(right[0] - left[0]), float(bottom[1] - top[1])


def _baseline(camera: Camera, rig: StereoRig) -> Finding:
    """Return the finding on the baseline, without a warning: an implausible one is part of that on the camera."""
    x, y, z = rig.T_left_right[:3, 3].tolist()
    R = rig.T_left_right[:3, :3]
    turned = float(np.degrees(np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1))))
    at_ten = camera.focal * rig.baseline / 10
    figure = f"{rig.baseline:.4g} m, cameras turned by {turned:.2g} degrees; 10 m away is {at_ten:.3g} px of disparity"
    values = {"baseline_m": rig.baseline, "x_m": x, "y_m": y, "z_m": z, "turned_deg": turned}
    return judged("calibration", "baseline", figure, "", **values)
