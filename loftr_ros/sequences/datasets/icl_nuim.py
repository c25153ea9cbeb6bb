"""ICL-NUIM, the version compatible with TUM RGB-D: rgb/0.png, depth/0.png, associations.txt, livingRoom0.gt.freiburg.

The renderer has the y axis up, so the poses are reflected; with them the published fy of -480 is 480.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.evaluation.trajectory import Trajectory, checked_trajectory, poses_of
from loftr_ros.sequences.datasets.layout import (
    Layout,
    Options,
    images_of,
    own_camera,
    published,
    rate_note,
    read_numbers,
)
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.ground_truth import read_ground_truth
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import stamps_at

_CAMERA = (481.20, 480.00, 319.50, 239.50)
_FPS, _UNITS_PER_METER = 30.0, 5000.0
_REFLECTION = np.diag([1.0, -1.0, 1.0, 1.0])


def is_icl_nuim(folder: Path) -> bool:
    """Return whether a folder is a sequence of ICL-NUIM."""
    return (folder / "rgb").is_dir() and _truth_file(folder) is not None


def open_icl_nuim(folder: Path, options: Options) -> Sequence:
    """Open a sequence. Raises SequenceError."""
    if options.mode == "stereo":
        raise MissingSensorError(f"{folder} is a sequence of ICL-NUIM, which has no right camera; use mono or rgbd.")
    images = images_of(folder / "rgb")
    if options.mode == "rgbd" and not (folder / "depth").is_dir():
        raise MissingSensorError(f"{folder / 'depth'} is missing; use mode mono.")
    depths = images_of(folder / "depth") if options.mode == "rgbd" else {}
    if options.mode == "rgbd":
        images = {i: image for i, image in images.items() if i in depths}
    if not images:
        raise SequenceError(f"No image of {folder / 'depth'} has the number of one of rgb/.")
    camera, own = own_camera(folder, lambda: published(folder, images, _CAMERA))
    fps, notes = rate_note(options.fps, _FPS)
    stamps = stamps_at(images, fps, folder)
    path = _truth_file(folder)
    truth, fault = read_ground_truth(path, lambda path: _truth(path, fps)) if path else (None, "")
    return Sequence(
        name=f"ICL-NUIM {folder.resolve().name}",
        camera=camera,
        entries=tuple(Entry(t, images[i], depth=depths.get(i)) for i, t in zip(images, stamps, strict=True)),
        ground_truth=truth,
        ground_truth_fault=fault,
        depth_units_per_meter=options.depth_scale or _UNITS_PER_METER,
        depth_units_source="--depth-scale" if options.depth_scale else "ICL-NUIM",
        notes=(*notes, *own),
    )


def _truth_file(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("*.gt.freiburg"))), None)


def _truth(path: Path, fps: float) -> Trajectory:
    """Return T_world_camera from rows of frame number, position, quaternion x, y, z, w.

    Raises:
        SequenceError, TrajectoryError: the file is not valid.
    """
    table = read_numbers(path, 8)
    if not np.isfinite(table[:, 0]).all():
        raise SequenceError(f"{path} must hold a frame number, a position and a quaternion a line.")
    poses: Array = _REFLECTION @ poses_of(path, table[:, 1:4], table[:, 4:]) @ _REFLECTION
    stamps = stamps_at([round(number) for number in table[:, 0].tolist()], fps, path)
    return checked_trajectory(path, np.array(stamps, np.int64), poses)


ICL_NUIM = Layout(is_icl_nuim, open_icl_nuim, "rgb/ and *.gt.freiburg (ICL-NUIM)")
