"""Replica as rendered for iMAP and NICE-SLAM: room0 with results/frame000000.jpg, depth000000.png, and traj.txt.

The camera is in cam_params.json, in the folder of the scenes or of the scene.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from loftr_ros.arrays import Array
from loftr_ros.errors import shortened
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.sequences.camera_yaml import whole
from loftr_ros.sequences.datasets.layout import (
    Layout,
    Options,
    counts_per_meter,
    numbered,
    pinhole,
    rate_note,
    read_numbers,
    rows_at,
    size_of,
    truth_of,
)
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.images import list_images
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import read_text, stamps_at

# cam_params.json of the data set, for folders that were copied without it.
_PUBLISHED = {"w": 1200, "h": 680, "fx": 600.0, "fy": 600.0, "cx": 599.5, "cy": 339.5, "scale": 6553.5}
_FPS = 30.0


def is_replica(folder: Path) -> bool:
    """Return whether a folder is a scene of Replica."""
    return (folder / "traj.txt").is_file() and (folder / "results").is_dir()


def open_replica(folder: Path, options: Options) -> Sequence:
    """Open a scene. Raises SequenceError."""
    if options.mode == "stereo":
        raise MissingSensorError(f"{folder} is a scene of Replica, which has no right camera; use mode mono or rgbd.")
    results = folder / "results"
    files = list_images(results)
    images = numbered(file for file in files if file.stem.startswith("frame"))
    depths = numbered(file for file in files if file.stem.startswith("depth"))
    if not images:
        raise SequenceError(f"{results} holds no images frame000000.jpg.")
    if options.mode == "rgbd" and (missing := [i for i in images if i not in depths]):
        raise MissingSensorError(f"{results} has no depth{missing[0]:06d}.png; use mode mono.")
    camera, scale, origin = _parameters(folder, size_of(images.values()))
    fps, notes = rate_note(options.fps, _FPS)
    stamps = stamps_at(images, fps, folder)
    path = folder / "traj.txt"
    truth, fault = truth_of(path, stamps, lambda: _poses(path, list(images)))
    return Sequence(
        name=f"Replica {folder.resolve().name}",
        camera=camera,
        entries=tuple(
            Entry(stamp, images[i], depth=depths[i] if options.mode == "rgbd" else None)
            for i, stamp in zip(images, stamps, strict=True)
        ),
        ground_truth=truth,
        ground_truth_fault=fault,
        depth_units_per_meter=options.depth_scale or scale,
        depth_units_source="--depth-scale" if options.depth_scale else origin,
        notes=notes,
    )


def _poses(path: Path, numbers: list[int]) -> Array:
    """Return T_world_camera of the frames. Raises SequenceError."""
    return rows_at(path, read_numbers(path, 16), numbers).reshape(-1, 4, 4)


def _parameters(folder: Path, size: tuple[int, int]) -> tuple[Camera, float, str]:
    """Return the camera, the counts of depth per meter, and where they are from. Raises SequenceError."""
    name = "cam_params.json"
    found = next((path for path in (folder / name, folder.resolve().parent / name) if path.is_file()), None)
    values: dict[str, Any] = _PUBLISHED
    if found is not None:
        try:
            values = json.loads(read_text(found))["camera"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SequenceError(f"{found} must hold the field camera: {shortened(error)}.") from error
    elif size != (_PUBLISHED["w"], _PUBLISHED["h"]):
        raise SequenceError(f"{folder / name} is missing, and the images are not 1200x680 as those of the data set.")
    path = found or folder
    try:
        fx, fy, cx, cy, scale = (float(values[key]) for key in ("fx", "fy", "cx", "cy", "scale"))
        size = whole(values["w"]), whole(values["h"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SequenceError(f"{path} must hold w, h, fx, fy, cx, cy and scale: {shortened(error)}.") from error
    return pinhole(path, size, fx, fy, cx, cy), counts_per_meter(scale, path), found.name if found else "Replica"


REPLICA = Layout(is_replica, open_replica, "results/ and traj.txt (Replica)")
