"""7-Scenes (Microsoft): a folder seq-01 with frame-000000.color.png, .depth.png (millimeters) and .pose.txt."""

from __future__ import annotations

import re
from pathlib import Path

from loftr_ros.sequences.datasets.layout import (
    Layout,
    Options,
    own_camera,
    published,
    rate_note,
    read_poses,
    truth_of,
)
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.images import list_images
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import stamps_at

_COLOR = re.compile(r"frame-(\d{6})\.color\.(?:png|jpg)")
_FOCAL, _CENTER = 525.0, (320.0, 240.0)  # of the color camera of a Kinect; the data set has no calibration
_FPS, _UNITS_PER_METER = 30.0, 1000.0


def is_seven_scenes(folder: Path) -> bool:
    """Return whether a folder is a sequence of 7-Scenes."""
    return any(True for _ in folder.glob("frame-*.color.*")) and any(True for _ in folder.glob("frame-*.pose.txt"))


def open_seven_scenes(folder: Path, options: Options) -> Sequence:
    """Open a sequence. Raises SequenceError."""
    if options.mode == "stereo":
        raise MissingSensorError(f"{folder} is a sequence of 7-Scenes, which has no right camera; use mono or rgbd.")
    named = ((_COLOR.fullmatch(image.name), image) for image in list_images(folder))
    images = {int(match[1]): image for match, image in named if match}
    if not images:
        raise SequenceError(f"{folder} holds no images frame-000000.color.png.")
    fps, notes = rate_note(options.fps, _FPS)
    stamps = stamps_at(images, fps, folder)
    camera, own = own_camera(folder, lambda: published(folder, images, (_FOCAL, _FOCAL, *_CENTER)))
    guess = () if own else ("7-Scenes has no calibration of its color camera: taking 525 px, that of a Kinect",)
    depths = {i: folder / f"frame-{i:06d}.depth.png" if options.mode == "rgbd" else None for i in images}
    truth, fault = truth_of(folder, stamps, lambda: read_poses(folder / f"frame-{i:06d}.pose.txt" for i in images))
    return Sequence(
        name=f"7-Scenes {folder.resolve().parent.name} {folder.resolve().name}",
        camera=camera,
        entries=tuple(Entry(t, images[i], depth=depths[i]) for i, t in zip(images, stamps, strict=True)),
        ground_truth=truth,
        ground_truth_fault=fault,
        depth_units_per_meter=options.depth_scale or _UNITS_PER_METER,
        depth_units_source="--depth-scale" if options.depth_scale else "7-Scenes",
        notes=(*notes, *own, *guess),
    )


SEVEN_SCENES = Layout(is_seven_scenes, open_seven_scenes, "frame-000000.color.png and .pose.txt (7-Scenes)")
