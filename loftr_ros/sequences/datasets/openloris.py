"""OpenLORIS-Scene: the color camera and the aligned depth of its RealSense D435i (`package` format).

color.txt and aligned_depth.txt list stamps and files, sensors.yaml has intrinsics, trans_matrix.yaml extrinsics, and
groundtruth.txt the poses of base_link.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.evaluation.trajectory import Trajectory, checked_trajectory, read_tum
from loftr_ros.odometry.geometry.camera import Camera, CameraError
from loftr_ros.sequences.camera_yaml import numbers, read_yaml, whole
from loftr_ros.sequences.datasets.layout import Layout, Options
from loftr_ros.sequences.datasets.tum import read_listing, with_depth
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.ground_truth import read_ground_truth
from loftr_ros.sequences.sequence import Entry, Sequence

_CAMERA, _BASE = "d400_color_optical_frame", "base_link"
_UNITS_PER_METER = 1000.0


def is_openloris(folder: Path) -> bool:
    """Return whether a folder is a sequence of OpenLORIS-Scene."""
    return (folder / "color.txt").is_file() and (folder / "sensors.yaml").is_file()


def open_openloris(folder: Path, options: Options) -> Sequence:
    """Open a sequence. Raises SequenceError."""
    if options.mode == "stereo":
        raise MissingSensorError(f"{folder}: the fisheye pair of OpenLORIS-Scene is not read; use mode mono or rgbd.")
    listing = read_listing(folder / "color.txt")
    entries, notes = [Entry(stamp, image) for stamp, image in listing.files], listing.notes
    if options.mode == "rgbd":
        if not (folder / "aligned_depth.txt").exists():
            raise MissingSensorError(f"{folder / 'aligned_depth.txt'} is missing; use mode mono.")
        entries, pairing = with_depth(entries, read_listing(folder / "aligned_depth.txt").files)
        notes += pairing
    truth, fault = read_ground_truth(folder / "groundtruth.txt", _truth)
    return Sequence(
        name=f"OpenLORIS {folder.resolve().name}",
        camera=_camera(folder / "sensors.yaml"),
        entries=tuple(entries),
        ground_truth=truth,
        ground_truth_fault=fault,
        depth_units_per_meter=options.depth_scale or _UNITS_PER_METER,
        depth_units_source="--depth-scale" if options.depth_scale else "OpenLORIS-Scene",
        notes=notes,
    )


def _camera(path: Path) -> Camera:
    """Return the color camera; its intrinsics are in the order fx, cx, fy, cy. Raises SequenceError."""
    fields = read_yaml(path).get(_CAMERA)
    try:
        if not isinstance(fields, dict):
            raise KeyError(_CAMERA)
        fx, cx, fy, cy = numbers(fields["intrinsics"])
        return Camera.from_camera_info(
            whole(fields["width"]),
            whole(fields["height"]),
            k=[fx, 0, cx, 0, fy, cy, 0, 0, 1],
            d=numbers(fields.get("distortion_coefficients", [])),
            distortion_model=str(fields.get("distortion_model", "radtan")),
            p=[],
            rectified=False,
        )
    except KeyError as error:
        raise SequenceError(f"{path} has no {error.args[0]}.") from error
    except (CameraError, TypeError, ValueError, OverflowError) as error:
        raise SequenceError(f"{path} has no usable {_CAMERA}: {error}") from error


def _truth(path: Path) -> Trajectory:
    """Return T_world_camera from the poses of the base. Raises SequenceError, TrajectoryError."""
    base = read_tum(path)
    extrinsics = path.with_name("trans_matrix.yaml")
    return checked_trajectory(extrinsics, base.stamps_ns, base.poses @ _T_base_camera(extrinsics))


def _T_base_camera(path: Path) -> Array:
    rows: Any = read_yaml(path).get("trans_matrix")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and (row.get("parent_frame"), row.get("child_frame")) == (_BASE, _CAMERA):
            try:
                return np.reshape(numbers(row["matrix"]), (4, 4))
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise SequenceError(f"{path} has a row {_BASE}, {_CAMERA} without a matrix of 4 rows.") from error
    raise SequenceError(f"{path} has no transform from {_BASE} to {_CAMERA}.")


OPENLORIS = Layout(is_openloris, open_openloris, "color.txt and sensors.yaml (OpenLORIS-Scene)")
