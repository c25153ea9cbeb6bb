"""Plausibility checks of a calibration: impossible and unlikely intrinsics and baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from loftr_ros.odometry.geometry.camera import Camera

# Pixels are rectangles, so the skew K[0][1] is about zero; another off-diagonal element means a rotation in K.
_MAX_SKEW = 0.02  # of fx
# Images squeezed to half their width, such as side-by-side stereo, have fx = fy / 2.
_MAX_ASPECT, _USUAL_ASPECT = 2.5, 1.1  # fx / fy or fy / fx
# A shorter focal length is not in pixels: even a fisheye of 360 degrees has 0.16.
_MIN_FOCAL = 0.05  # of the image side
_USUAL_OFF_CENTER = 0.15  # of the image side
_USUAL_FIELD_OF_VIEW = (10.0, 150.0)  # degrees along the longer side, of all but fisheye lenses
_USUAL_BASELINE = (0.002, 3.0)  # meters
_USUAL_SHAPE = (1.2, 1.9)  # width / height, between 4:3 and 16:9
_SAME_FACTOR = 0.1  # relative tolerance between the factors of both sides
# A principal point that is off the middle by one factor along both sides is that of resized images: by more than this,
# with this tolerance. Recorded sequences deviate by up to 6 % along one side, never along both.
_MIN_RESIZED, _RESIZED_TOLERANCE = 0.06, 0.015
# Bounds of a valid distortion: the largest error of undistortion at the middle of the image sides, pixels, and the
# largest tangential shift in the corners, relative to half the diagonal (recorded: 0.01).
_MAX_INVERSION_PX, _MAX_TANGENTIAL = 5.0, 0.03
# Angle to the optical axis, degrees, up to which an equidistant lens has rays unless the image ends before. Recorded
# lenses reach beyond 90 (TUM-VI, T265).
_LEAST_END = 80.0


def impossible(camera: Camera) -> str | None:
    """Return an error message for intrinsics that no camera with full images has, with the fix; None if valid."""
    K, width, height = camera.K, camera.width, camera.height
    if K[2, :2].any() and not K[:2, 2].any():
        return f"The camera matrix is {K.tolist()}, which is transposed; write it row by row: fx 0 cx, 0 fy cy, 0 0 1."
    if not np.allclose(K[2], (0, 0, 1), rtol=0, atol=1e-6):
        return f"The last row of the camera matrix is {K[2].tolist()}; it must be 0 0 1."
    if max(abs(K[0, 1]), abs(K[1, 0])) > _MAX_SKEW * K[0, 0]:
        return (
            f"The camera matrix is {K.tolist()}; it must be fx 0 cx, 0 fy cy, 0 0 1: calibrate (a rotation must not "
            "be multiplied into P)."
        )
    if K[0, 0] < _MIN_FOCAL * width and K[1, 1] < _MIN_FOCAL * height:
        return _other_unit(camera)
    if not 1 / _MAX_ASPECT <= K[0, 0] / K[1, 1] <= _MAX_ASPECT:
        return f"The focal lengths fx = {K[0, 0]:g} and fy = {K[1, 1]:g} are too different for one camera; calibrate."
    if not (-0.5 <= K[0, 2] <= width - 0.5 and -0.5 <= K[1, 2] <= height - 0.5):
        return (
            f"The principal point ({K[0, 2]:g}, {K[1, 2]:g}) is outside the image of {width}x{height}"
            f"{_why_off_center(camera) or ': calibrate'}."
        )
    return None


def unlikely(camera: Camera, right: Camera | None = None, baseline: float | None = None) -> tuple[str, ...]:
    """Return warnings, each a clause with the likely cause, for unusual intrinsics and baselines.

    Args:
        camera, right: valid by `impossible`; of full images, since regions of interest may lie anywhere in the view.
        baseline: meters.
    """
    found = list(_unlikely(camera))
    if right is not None:
        found += [
            text for text in _unlikely(right, "right camera: ") if text.removeprefix("right camera: ") not in found
        ]
    if baseline is not None and not _USUAL_BASELINE[0] <= baseline <= _USUAL_BASELINE[1]:
        found.append(
            f"the stereo baseline is {baseline:g} m: check that it is in meters, as P[3] is in pixels * meters"
        )
    return tuple(found)


def _unlikely(camera: Camera, name: str = "") -> list[str]:
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    width, height = camera.width, camera.height
    found = []
    along_x, along_y = 2 * cx / width, 2 * cy / height
    is_resized = min(abs(along_x - 1), abs(along_y - 1)) > _MIN_RESIZED and (
        abs(along_x / along_y - 1) < _RESIZED_TOLERANCE if along_y > 0 else False
    )
    if is_resized or max(abs(cx / width - 0.5), abs(cy / height - 0.5)) > _USUAL_OFF_CENTER:
        found.append(
            f"{name}the principal point ({cx:g}, {cy:g}) is far from the middle of the image of {width}x{height}"
            f"{_why_off_center(camera)}"
        )
    if not 1 / _USUAL_ASPECT <= fx / fy <= _USUAL_ASPECT:
        found.append(
            f"{name}the focal lengths fx = {fx:g} and fy = {fy:g} differ by a factor of {max(fx / fy, fy / fx):.2f}: "
            "check that the calibration is of images with this aspect ratio"
        )
    view = max(np.degrees(2 * np.arctan(side / (2 * f))) for side, f in ((width, fx), (height, fy)))
    if camera.distortion_model != "equidistant" and not _USUAL_FIELD_OF_VIEW[0] <= view <= _USUAL_FIELD_OF_VIEW[1]:
        found.append(
            f"{name}the field of view is {view:.1f} degrees by fx = {fx:g} and fy = {fy:g}: check that they are in "
            f"pixels of images of {width}x{height}"
        )
    if reason := _distortion_fault(camera):
        found.append(name + reason)
    return found


def _distortion_fault(camera: Camera) -> str | None:
    """Return a clause on a distortion that no lens has over the whole image; None if it is plausible."""
    if not camera.has_lens:
        return None
    coefficients = ", ".join(f"{value:g}" for value in camera.distortion)
    if camera.distortion_model == "equidistant":  # which may see beyond 180 degrees
        return _too_strong(coefficients, camera.distortion_model) if _ends_early(camera) else None
    cx, cy = camera.K[:2, 2]
    sides = np.array([[0.0, cy], [camera.width - 1.0, cy], [cx, 0.0], [cx, camera.height - 1.0]])
    rays = camera.normalize(sides)
    error_px = np.abs(camera.project(np.column_stack([rays, np.ones(len(rays))])) - sides).max()
    if not error_px < _MAX_INVERSION_PX:  # also not finite
        return _too_strong(coefficients, camera.distortion_model)
    p1, p2 = camera.distortion[2:4]
    x, y = camera.width / 2 / camera.K[0, 0], camera.height / 2 / camera.K[1, 1]
    shift = np.hypot(
        2 * abs(p1) * x * y + abs(p2) * (3 * x * x + y * y), abs(p1) * (x * x + 3 * y * y) + 2 * abs(p2) * x * y
    )
    if shift <= _MAX_TANGENTIAL * np.hypot(x, y):
        return None
    return (
        f"the tangential distortion p1 = {p1:g}, p2 = {p2:g} is unusually large: check the order of the coefficients, "
        "which is k1, k2, p1, p2, k3 (other programs have k3 third)"
    )


def _too_strong(coefficients: str, model: str) -> str:
    return (
        f"the distortion ({coefficients}) of {model} is too strong to be undone at the sides of the image: check the "
        "order and unit of the coefficients and the model, or calibrate"
    )


def _ends_early(camera: Camera) -> bool:
    """Return whether the rays of an equidistant lens end before the sides of the image and before a wide angle."""
    radius, center = camera.max_radius, camera.K[:2, 2]
    sides = np.array([[0.0, center[1]], [camera.width - 1.0, center[1]]])
    if camera.has_ray(sides).all():
        return False
    rays = camera.normalize(center + radius * camera.K[:2, 0] * np.array([[-1.0], [1.0]]))
    return bool((np.degrees(np.arctan(np.linalg.norm(rays, axis=1))) < _LEAST_END).any())


def resize_hint(camera: Camera, width: int, height: int) -> str:
    """Return a hint with the scaled calibration for images of another size than the calibration's.

    Empty if the two sides differ by different factors, as in a crop.
    """
    factor = height / camera.height
    if (width, height) == (camera.height, camera.width):
        return " (width and height are exchanged: calibrate in the orientation of the images)"
    if abs(width - factor * camera.width) > 1 + 0.01 * width:
        return ""
    K = camera.scaled(width, height).K
    return (
        f" (the images are {factor:.4g} times as large: if they were resized, not cropped, the calibration is width "
        f"{width}, height {height}, fx {K[0, 0]:.6g}, fy {K[1, 1]:.6g}, cx {K[0, 2]:.6g}, cy {K[1, 2]:.6g}, the same "
        "distortion)"
    )


def _other_unit(camera: Camera) -> str:
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    text = (
        f"The focal lengths fx = {fx:g} and fy = {fy:g} are not in pixels of images of {camera.width}x{camera.height}"
    )
    if max(cx, cy) <= 1:
        return f"{text}: they look divided by the image size; multiply fx and cx by the width, fy and cy by the height."
    return f"{text}: if they are in millimeters, divide fx, fy, cx and cy by the size of a pixel in millimeters."


def _why_off_center(camera: Camera) -> str:
    """Return the likely cause of an off-center principal point as a clause; empty if unknown."""
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    width, height = camera.width, camera.height
    along_x, along_y = 2 * cx / width, 2 * cy / height
    if min(along_x, along_y) > 0 and abs(along_x / along_y - 1) < _SAME_FACTOR:
        factor = (along_x * along_y) ** 0.5
        return (
            f": K fits images {factor:.3g} times as large, of about {factor * width:.0f}x{factor * height:.0f}; "
            f"multiply fx, fy, cx and cy by {1 / factor:.3g} if the images were resized"
        )
    if _is_middle(cx, cy, height, width):
        return f": K is of upright images of {height}x{width}; calibrate in the orientation of the images"
    if _is_middle(fx, fy, width, height):
        return ": fx and cx, fy and cy look exchanged"
    if max(abs(along_x), abs(along_y)) < _SAME_FACTOR:
        return (
            ": it is counted from the upper left corner; add half of the width and height if this is the offset from "
            "the middle"
        )
    is_larger = max(along_x, along_y) > 1 + _SAME_FACTOR and min(along_x, along_y) > 1 - _SAME_FACTOR
    if is_larger and _USUAL_SHAPE[0] < cx / cy < _USUAL_SHAPE[1]:
        return f": K looks like one of images of about {2 * cx:.0f}x{2 * cy:.0f}; use that of these images"
    return ""


def _is_middle(x: float, y: float, width: int, height: int) -> bool:
    """Return whether a point is near the center of an image."""
    return max(abs(x / width - 0.5), abs(y / height - 0.5)) < _SAME_FACTOR / 2
