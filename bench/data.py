"""Paths of the recorded data, relative to the folder that LOFTR_ROS_DATA names."""

from __future__ import annotations

import os
from pathlib import Path

from loftr_ros.errors import LoftrRosError

RECORDINGS = {
    "kitti06": Path("kitti/sequences/06"),
    "euroc": Path("euroc/V1_01_static"),
    "corridor": Path("tum/tartanair_corridor"),
    "kitchen": Path("tum/7scenes_kitchen"),
    "desk": Path("tum/fr1_desk"),
}


class BenchError(LoftrRosError):
    """Missing or unusable data."""


def data_folder() -> Path:
    """Return the data folder. Raises BenchError if there is none."""
    data = os.environ.get("LOFTR_ROS_DATA", "")
    if not data or not Path(data).is_dir():
        raise BenchError(
            f"The data folder {data} is missing: set LOFTR_ROS_DATA, or pass your own folders to --sequences."
        )
    return Path(data)


def recording(name: str) -> Path:
    """Return the folder of a recording, given by its name in `RECORDINGS` or by its path. Raises BenchError."""
    return data_folder() / RECORDINGS[name] if name in RECORDINGS else Path(name)
