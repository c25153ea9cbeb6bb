"""Recordings and calibrations in formats that are not read: what they are, and what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from loftr_ros.errors import shortened
from loftr_ros.sequences.errors import SequenceError

# Suffixes, description, and how to convert it.
_FORMATS = (
    (".mcap.zstd .db3.zstd", "a compressed part of a bag", "give its folder, with metadata.yaml"),
    (".zip .tar .gz .tgz .bz2 .xz .zst .7z .rar", "an archive", "unpack it"),
    (".exr .hdr .gif .heic .avif .jp2 .dng .npy .npz", "of a format that is not read", "convert the images to PNG"),
)
# Names of the folders of two sensors, lower case: left and right camera, color and depth.
_PAIRS = (("left", "right"), ("cam0", "cam1"), ("image_left", "image_right"), ("infra1", "infra2"), ("l", "r"))
_COLOR, _DEPTH = ("rgb", "color", "colour", "image", "images"), ("depth", "depths", "depth_image", "depth_images")
# A whole calibration file, for messages: it can be copied.
EXAMPLE = (
    "{image_width: 640, image_height: 480, camera_matrix: [fx, 0, cx, 0, fy, cy, 0, 0, 1], "
    "distortion_model: plumb_bob, distortion_coefficients: [k1, k2, p1, p2, k3]}"
)
# The commands that make a calibration, or do without.
HOW_TO_CALIBRATE = (
    "ros2 run camera_calibration cameracalibrator --size 8x6 --square 0.025 --ros-args -r image:=TOPIC makes one, "
    "with a printed chessboard; or guess it, --fov DEGREES, the horizontal field of view"
)
_WRITE = f"write its numbers into a file as camera_calibration writes it, in YAML: {EXAMPLE}"
# One field, or the start of one, that shows a format, and its name.
_CALIBRATIONS = (
    (r"Camera1?\..*", "is a settings file of ORB-SLAM"),
    (r"model_type|projection_parameters", "is of camodocal, as VINS uses it"),
    (r"cameras", "is a rig of several cameras, as of SVO or COLMAP"),
    (r"fl_x|camera_angle_x|transform_matrix", "is of a neural radiance field (transforms.json)"),
    (r"ppx|principal_point|focal_length|fx", "lists single intrinsics"),
    (r"intrinsics|resolution", "lists intrinsics as EuRoC and Kalibr do"),
    (r"M1|M2|K|D|K1|D1|cameraMatrix|mtx|dist|dist_coeffs?", "has names of OpenCV examples"),
)
# Names of calibrations that are not read, if the one that is read is missing.
_OTHER_FILES = re.compile(
    r"(cameras|calib.*|intrinsics?.*|K|ost)\.txt|.*(calib|camera|intrinsic|ost).*\.(json|xml|npz|npy|pkl|toml|ini|txt)"
    r"|SN[0-9]+\.conf|transforms.*\.json|.*\.ya?ml",
    re.IGNORECASE,
)


def format_hint(path: Path) -> str:
    """Return a clause on the format of a file, or of the first file of a folder with a known one; empty if unknown."""
    try:
        names = sorted(child.name for child in path.iterdir()) if path.is_dir() else [path.name]
    except OSError:
        return ""
    for name in names:
        for suffixes, kind, advice in _FORMATS:
            if name.lower().endswith(tuple(suffixes.split())):
                return f": {name} is {kind}; {advice}"
    return ""


def folder_hint(folders: list[Path]) -> str:
    """Return a clause on folders of images that are no sequence together, with the fix; empty for others."""
    names = {path.name.lower(): path.name for path in folders}
    color, depth = (next((names[name] for name in known if name in names), None) for known in (_COLOR, _DEPTH))
    if color and depth:
        return (
            f": it holds color and depth, but no lists of them; write rgb.txt with one 'stamp {color}/FILE' a line and "
            f"depth.txt with one 'stamp {depth}/FILE' (TUM RGB-D), and a camera.yaml"
        )
    for left, right in _PAIRS:
        if left in names and right in names:
            return (
                f": for stereo name the folders {names[left]} and {names[right]} left and right, with left.yaml and "
                f"right.yaml beside them; for one camera give {names[left]}"
            )
    return ""


def file_hint(path: Path) -> str:
    """Return what to do about a missing calibration: a clause that names another calibration beside it, if any."""
    try:
        names = sorted(child.name for child in path.parent.iterdir() if child.name != path.name)
    except OSError:
        names = []
    beside = [name for name in names if _OTHER_FILES.fullmatch(name)]
    if not beside:
        hint = f"put the calibration there as camera_calibration writes it, in YAML: {EXAMPLE}"
        return f"{hint}; {HOW_TO_CALIBRATE}" if path.name == "camera.yaml" else hint
    return f"{shortened(beside[0], 60)} is there, but {path.name} is what is read: {_WRITE}"


def reject_other_calibrations(path: Path, content: dict[str, Any]) -> None:
    """Raise SequenceError for a known format of another program."""
    if isinstance(content.get("cam0"), dict):
        raise SequenceError(
            f"{path} is a camchain of Kalibr; write for each camera a file as camera_calibration does: resolution as "
            "image_width and image_height, intrinsics (fu, fv, pu, pv) as camera_matrix, distortion_coeffs as "
            f"distortion_coefficients, radtan or equidistant as distortion_model (omni, eucm, ds are not supported), "
            f"in YAML: {EXAMPLE}."
        )
    names = [name for name in content if isinstance(name, str)]
    for pattern, what in _CALIBRATIONS[: 1 if "camera_matrix" in content else None]:
        if any(re.fullmatch(pattern, name) for name in names):
            raise SequenceError(f"{path} {what}; {_WRITE}.")
