"""Camera model: pixels to normalized coordinates and back, for the distortion models of sensor_msgs/CameraInfo."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from loftr_ros.arrays import Array
from loftr_ros.errors import LoftrRosError, quoted
from loftr_ros.odometry.geometry.calibration_check import impossible
from loftr_ros.odometry.geometry.lens_limit import max_radius

# Numbers of coefficients of each model in OpenCV; "none" is a rectified pinhole image. The rational model may have 4
# more for a thin prism, and then 2 more for a tilted sensor.
DISTORTION_COEFFICIENTS = {
    "none": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
# Names of the models in other programs (Kalibr, EuRoC, OpenCV, ORB-SLAM, Basalt, COLMAP).
_OTHER_NAMES = {
    "radtan": "plumb_bob",
    "radial_tangential": "plumb_bob",
    "brown_conrady": "plumb_bob",
    "equi": "equidistant",
    "fisheye": "equidistant",
    "kannala_brandt": "equidistant",
    "kannala_brandt4": "equidistant",
    "kb4": "equidistant",
    "opencv": "plumb_bob",
    "opencv_fisheye": "equidistant",
    "full_opencv": "rational_polynomial",
}

# What to do about another number of coefficients.
_COEFFICIENT_ORDER = {
    "none": ": set the distortion model",
    "plumb_bob": " (k1, k2, p1, p2, k3; 0 for those that your calibration does not have)",
    "rational_polynomial": " (k1, k2, p1, p2, k3, k4, k5, k6)",
    "equidistant": " (k1, k2, k3, k4)",
}

_MAX_FOCAL_DIFFERENCE = 0.01  # relative, between P of both cameras of a pair
_MAX_SIDE = 1 << 16  # pixels

# OpenCV's default of five iterations leaves an error of 0.3 px at the border of an ordinary wide-angle image.
_UNDISTORT_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-10)
# The function that takes criteria is called undistortPointsIter in OpenCV 4 and undistortPoints in OpenCV 5.
_undistort_points = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)


class CameraError(LoftrRosError):
    """An invalid calibration; the message names the field and the fix."""


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one camera.

    Attributes:
        width, height: image size in pixels.
        K: (3, 3) float64 camera matrix, pixels.
        distortion_model: "none", "plumb_bob", "rational_polynomial" or "equidistant" (REP 104), or a name of other
            programs: "radtan", "radial-tangential", "fisheye", "kannala_brandt"; stored by its name in ROS.
        distortion: coefficients in OpenCV order; empty for "none". Their number distinguishes plumb_bob (4 or 5) from
            rational_polynomial (8, 12 or 14), as in OpenCV; a fifth of equidistant must be 0 and is dropped.
    """

    width: int
    height: int
    K: Array
    distortion_model: str = "none"
    distortion: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        """Convert the arrays to float64, and raise CameraError for invalid intrinsics."""
        object.__setattr__(self, "K", np.array(self.K, np.float64))
        model, distortion = _as_in_ros(self.distortion_model, np.array(self.distortion, np.float64).ravel())
        object.__setattr__(self, "distortion_model", model)
        object.__setattr__(self, "distortion", distortion)
        if not (0 < self.width <= _MAX_SIDE and 0 < self.height <= _MAX_SIDE):
            size = f"{self.width}x{self.height}" if max(self.width, self.height) <= _MAX_SIDE else "beyond all images"
            raise CameraError(f"The camera's image size is {size}; set width and height.")
        if self.K.shape != (3, 3) or not np.isfinite(self.K).all() or self.K[0, 0] <= 0 or self.K[1, 1] <= 0:
            raise CameraError(
                f"The camera matrix K is {self.K.tolist()}; calibrate: the focal lengths must be above 0."
            )
        with np.errstate(all="ignore"):  # numbers of any size
            area = np.linalg.det(self.K[:2, :2] / self.K[0, 0])
        if not area > np.finfo(np.float64).eps:
            raise CameraError(f"The camera matrix K is {self.K.tolist()}; calibrate: its axes must not be parallel.")
        if self.distortion_model not in DISTORTION_COEFFICIENTS:
            raise CameraError(
                f"The distortion model is {quoted(self.distortion_model)}; use one of "
                f"{', '.join(DISTORTION_COEFFICIENTS)} "
                "(calibrate a fisheye or omnidirectional lens as equidistant)."
            )
        counts = DISTORTION_COEFFICIENTS[self.distortion_model]
        if self.distortion.size not in counts or not np.isfinite(self.distortion).all():
            raise CameraError(
                f"The distortion D has {self.distortion.size} coefficients; {self.distortion_model} takes "
                f"{' or '.join(map(str, counts))} finite ones{_COEFFICIENT_ORDER.get(self.distortion_model, '')}."
            )

    @classmethod
    def from_camera_info(
        cls,
        width: int,
        height: int,
        k: Sequence[float],
        d: Sequence[float],
        distortion_model: str,
        p: Sequence[float],
        *,
        rectified: bool,
    ) -> Camera:
        """Return the camera of the fields of sensor_msgs/CameraInfo.

        Args:
            width, height: image size in pixels.
            k: the 9 numbers of the camera matrix of the raw image.
            d: distortion coefficients of the raw image.
            distortion_model: as in the message; empty for an undistorted image. An equidistant lens whose coefficients
                are all 0 is a fisheye lens, too: the radius is the angle by the focal length.
            p: the 12 numbers of the projection matrix of the rectified image.
            rectified: whether the images are rectified (image_rect); their intrinsics are those of P.

        Raises:
            CameraError: the calibration is missing, incomplete or invalid.
        """
        distortion = np.asarray(d, np.float64)
        has_lens = any(d) or (len(d) > 0 and _as_in_ros(distortion_model, distortion)[0] == "equidistant")
        is_undistorted = any(k) and not has_lens and not any(p)  # rectified or not: K is that of both
        source, name, count = (p, "P", 12) if rectified and not is_undistorted else (k, "K", 9)
        if not any(source):
            other = "P is not: set rectified to true if the images are" if any(p) else "calibrate the camera"
            raise CameraError(f"{name} of the camera info is empty; {other}.")
        if len(source) != count:
            raise CameraError(f"{name} of the camera info has {len(source)} numbers; it must have {count}.")
        matrix = np.reshape(np.asarray(source, np.float64), (3, -1))[:, :3]
        if rectified or not has_lens:
            return checked(cls(width, height, matrix))
        return checked(cls(width, height, matrix, distortion_model, distortion))

    @property
    def has_lens(self) -> bool:
        """Whether straight lines are curved in the images. Coefficients of 0 are no distortion, but of equidistant."""
        return bool(self.distortion.any()) or self.distortion_model == "equidistant"

    @property
    def focal(self) -> float:
        """Mean focal length, pixels: the factor from small angles to pixels."""
        return float(self.K[0, 0] + self.K[1, 1]) / 2.0

    def normalize(self, points: ArrayLike) -> Array:
        """Undistort (N, 2) pixels to (N, 2) coordinates on the plane z = 1 of the camera."""
        pixels = np.asarray(points, np.float64).reshape(-1, 1, 2)
        if self.distortion_model == "none" or len(pixels) == 0:
            return np.asarray((pixels[:, 0] - self.K[:2, 2]) @ np.linalg.inv(self.K[:2, :2]).T)
        if self.distortion_model == "equidistant":
            normalized = cv2.fisheye.undistortPoints(pixels, self.K, self.distortion)
        else:
            normalized = _undistort_points(
                pixels, self.K, self.distortion, R=None, P=None, criteria=_UNDISTORT_CRITERIA
            )
        return np.asarray(normalized, np.float64).reshape(-1, 2)

    def project(self, points: ArrayLike) -> Array:
        """Project (N, 3) points in front of the camera, in its frame, to (N, 2) pixels."""
        xyz = np.asarray(points, np.float64).reshape(-1, 1, 3)
        if self.distortion_model == "none" or len(xyz) == 0:
            return np.asarray(xyz[:, 0, :2] / xyz[:, 0, 2:] @ self.K[:2, :2].T + self.K[:2, 2])
        model = cv2.fisheye.projectPoints if self.distortion_model == "equidistant" else cv2.projectPoints
        pixels, _ = model(xyz, np.zeros((3, 1)), np.zeros((3, 1)), self.K, self.distortion)
        return np.asarray(pixels, np.float64).reshape(-1, 2)

    def has_ray(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Return which (N, 2) pixels `normalize` is right for; see `lens_limit`."""
        pixels = np.asarray(points, np.float64).reshape(-1, 2)
        if not np.isfinite(self.max_radius):
            return np.ones(len(pixels), bool)
        offsets = (pixels - self.K[:2, 2]) @ np.linalg.inv(self.K[:2, :2]).T
        return np.asarray(np.hypot(*offsets.T) <= self.max_radius)

    @cached_property
    def max_radius(self) -> float:
        """Distorted radius on the plane z = 1 up to which pixels have rays."""
        return max_radius(self)

    def cropped(self, x_offset: int, y_offset: int, width: int, height: int) -> Camera:
        """Return the camera of a region of the image, which begins at (x_offset, y_offset)."""
        K = self.K.copy()
        K[:2, 2] -= x_offset, y_offset
        return replace(self, width=width, height=height, K=K)

    def scaled(self, width: int, height: int) -> Camera:
        """Return the camera of the image resized to another size; pixel centers are integers before and after."""
        scale = np.array([width / self.width, height / self.height])
        K = self.K.copy()
        K[:2, :2] *= scale[:, None]
        K[:2, 2] = (K[:2, 2] + 0.5) * scale - 0.5
        return replace(self, width=width, height=height, K=K)


def _as_in_ros(name: str, distortion: Array) -> tuple[str, Array]:
    """Return the name of a distortion model in ROS, unchanged if it has none, and its coefficients."""
    model = re.sub(r"[ -]+", "_", name.strip().lower())
    model = _OTHER_NAMES.get(model, model)
    if model == "equidistant" and distortion.size == 5 and distortion[4] == 0:  # as the driver of the T265 publishes it
        return model, distortion[:4]
    for same in ("plumb_bob", "rational_polynomial"):
        if model in ("plumb_bob", "rational_polynomial") and distortion.size in DISTORTION_COEFFICIENTS[same]:
            return same, distortion
    return (model if model in DISTORTION_COEFFICIENTS else name), distortion


def checked(camera: Camera) -> Camera:
    """Return the camera of full images after `calibration_check.impossible`. Raises CameraError if that fails."""
    reason = impossible(camera)
    if reason:
        raise CameraError(reason)
    return camera


def projection_offset(p: Sequence[float]) -> Array:
    """Return the (3,) translation t of a projection matrix K [I | t] from its 12 numbers, meters.

    It translates points from the common rectified frame to that of this camera.

    Raises:
        CameraError: the matrix is incomplete, singular or not finite.
    """
    if len(p) != 12:
        raise CameraError(f"The projection matrix P has {len(p)} numbers; it must have 12.")
    P = np.reshape(np.asarray(p, np.float64), (3, 4))
    try:
        offset = np.asarray(np.linalg.solve(P[:, :3], P[:, 3]), np.float64)
    except np.linalg.LinAlgError as error:
        raise CameraError(f"The projection matrix P is {P.tolist()}, which is singular; calibrate.") from error
    if not np.isfinite(offset).all():
        raise CameraError("The projection matrix P holds numbers that are not finite; calibrate.")
    return offset


def check_common_focal_length(focals: Sequence[float], p_left: Sequence[float], p_right: Sequence[float]) -> None:
    """Raise CameraError if P of a raw pair has two focal lengths: the baseline P[3] / fx would be that of neither.

    Args:
        focals: fx of K of left and right; images that are rectified already may keep their own in P.
        p_left, p_right: the 12 numbers of P of each; all 0 if unknown.
    """
    in_P = p_left[0], p_right[0]
    if not (in_P[0] and in_P[1]) or _is_near(*in_P) or all(map(_is_near, in_P, focals)):
        return
    raise CameraError(
        f"P has fx = {in_P[0]:g} for the left and {in_P[1]:g} for the right camera, but a pair is rectified to one "
        "focal length: calibrate both together, as stereo."
    )


def _is_near(a: float, b: float) -> bool:
    return abs(a - b) <= _MAX_FOCAL_DIFFERENCE * max(abs(a), abs(b))


def stereo_baseline(p_left: Sequence[float], p_right: Sequence[float]) -> float:
    """Return the baseline of a rectified pair, meters: left P[3] / fx - right P[3] / fx.

    Args:
        p_left, p_right: the 12 numbers of the projection matrix P of each; a left P of zeros, as with raw images, is
            the origin.

    Raises:
        CameraError: the baseline is missing or not positive.
    """
    if len(p_right) != 12 or not any(p_right):
        raise CameraError("The right camera info holds no baseline: its P is empty; calibrate the pair as stereo.")
    left = projection_offset(p_left)[0] if any(p_left) else 0.0
    baseline = float(left - projection_offset(p_right)[0])
    if not baseline > 0:
        raise CameraError(
            f"P of the left and right camera give a baseline of {baseline:.6g} m: left P[3] / fx - right P[3] / fx "
            "must be above 0 (right P[3] is -fx * baseline where left P[3] is 0); calibrate the pair as stereo, and "
            "check that left and right are not swapped."
        )
    return baseline
