"""Where the recorded data is: below the folder that LOFTR_ROS_DATA names."""

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
    """Data that is not there or cannot be used."""


def data_folder() -> Path:
    """Return the data folder. Raises BenchError if there is none."""
    data = os.environ.get("LOFTR_ROS_DATA", "")
    if not data or not Path(data).is_dir():
        raise BenchError(
            f"The data folder {data} is missing: set LOFTR_ROS_DATA, or give folders of your own to --sequences."
        )
    return Path(data)


def recording(name: str) -> Path:
    """Return the folder of a recording: one of the data folder by its name, or any by its path. Raises BenchError."""
    return data_folder() / RECORDINGS[name] if name in RECORDINGS else Path(name)
