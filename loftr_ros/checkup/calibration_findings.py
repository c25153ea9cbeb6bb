"""The calibration in figures that a person can check against the data sheet of the camera."""

from __future__ import annotations

import numpy as np

from loftr_ros.checkup.findings import Finding, judged
from loftr_ros.odometry.geometry.calibration_check import unlikely
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig


def calibration_findings(camera: Camera, rig: StereoRig | None, doubts: str | None = None) -> list[Finding]:
    """Judge the left (or only) camera, and with a rig the pair.

    Args:
        camera, rig: of the images.
        doubts: what is unlikely about them, if known; by default it is computed, which needs whole images (no roi).
    """
    if doubts is None:
        doubts = "; ".join(unlikely(camera, rig.right if rig else None, rig.baseline if rig else None))
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    horizontal, vertical = field_of_view(camera)
    model = "no distortion" if camera.distortion_model == "none" else camera.distortion_model
    figure = f"fx {fx:.5g}, fy {fy:.5g}, cx {cx:.5g}, cy {cy:.5g} of {camera.width}x{camera.height}, {model}"
    values = {"fx_px": fx, "fy_px": fy, "cx_px": cx, "cy_px": cy, "width_px": camera.width, "height_px": camera.height}
    view = {"horizontal_deg": horizontal, "vertical_deg": vertical}
    return [
        judged("calibration", "camera", figure, doubts, **values),
        judged("calibration", "field of view", f"{horizontal:.0f} x {vertical:.0f} degrees", "", **view),
        *([_baseline(camera, rig)] if rig else []),
    ]


def field_of_view(camera: Camera) -> tuple[float, float]:
    """Return the angles between the middles of opposite image borders, degrees, horizontal and vertical."""
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    width, height = camera.width, camera.height
    if camera.distortion_model == "equidistant":  # beyond 180 degrees there is no point on the plane z = 1
        return float(np.degrees(width / fx)), float(np.degrees(height / fy))
    borders = [(-0.5, cy), (width - 0.5, cy), (cx, -0.5), (cx, height - 0.5)]
    left, right, top, bottom = np.degrees(np.arctan(camera.normalize(borders)))
    return float(right[0] - left[0]), float(bottom[1] - top[1])


def _baseline(camera: Camera, rig: StereoRig) -> Finding:
    """Describe the baseline; an unlikely one is a warning of the camera."""
    x, y, z = rig.T_left_right[:3, 3].tolist()
    R = rig.T_left_right[:3, :3]
    turned = float(np.degrees(np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1))))
    at_ten = camera.focal * rig.baseline / 10
    figure = f"{rig.baseline:.4g} m, cameras turned by {turned:.2g} degrees; 10 m away is {at_ten:.3g} px of disparity"
    values = {"baseline_m": rig.baseline, "x_m": x, "y_m": y, "z_m": z, "turned_deg": turned}
    return judged("calibration", "baseline", figure, "", **values)
