"""Image folder layout: images with a ROS calibration; left/ and right/ with left.yaml and right.yaml for stereo.

The calibration is that of the images as stored: raw images, or rectified images with a calibration without distortion.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence as Items
from pathlib import Path
from statistics import median_low

from loftr_ros.errors import shortened
from loftr_ros.odometry.config import Mode
from loftr_ros.sequences.errors import MissingSensorError, NoFramesError, SequenceError
from loftr_ros.sequences.guessed_camera import FieldOfView, calibration_exists, guess_camera
from loftr_ros.sequences.images import list_camera_images, list_images
from loftr_ros.sequences.pairing import pair_stamps
from loftr_ros.sequences.recordings.camera_files import cameras_of_files
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamped_names import stamps_in_names
from loftr_ros.sequences.stamps import stamps_at

EXPECTED_FILES = "images with camera.yaml, or left/ and right/ with left.yaml and right.yaml (image folder)"
DEFAULT_FPS = 30.0
_YAML = re.compile(r"[^.].*\.ya?ml", re.IGNORECASE)


def is_folder(folder: Path) -> bool:
    """Return whether a folder contains images or left/."""
    return (folder / "left").is_dir() or bool(list_images(folder))


def open_folder(
    folder: Path, mode: Mode, fps: float, camera: Items[Path] = (), fov: FieldOfView | None = None
) -> Sequence:
    """Open a folder.

    Args:
        folder: with images.
        mode: sensors that the frames must have.
        fps: gives the stamps if the file names have none.
        camera: calibration files, of the left or only and of the right camera; empty: those in the folder.
        fov: guess the calibration of a single camera from it.

    Raises:
        SequenceError: an image or the calibration is missing or not valid.
    """
    if mode == "rgbd":
        raise MissingSensorError(f"{folder} is an image folder without depth; use mode mono or stereo.")
    if mode == "stereo" and fov is not None:
        raise MissingSensorError(f"{folder}: the baseline of a pair cannot be guessed; use mode mono with --fov.")
    return _open_stereo(folder, fps, camera) if mode == "stereo" else _open_mono(folder, fps, camera, fov)


def _open_mono(folder: Path, fps: float, camera: Items[Path], fov: FieldOfView | None) -> Sequence:
    left = folder / "left"
    images = left if left.is_dir() else folder
    files = camera or (_side_calibration(folder, "left") if left.is_dir() else _find_calibration(folder),)
    stamped, notes = _stamped(images, fps)
    entries = tuple(Entry(stamp, image) for stamp, image in stamped)
    name = folder.resolve().name
    if fov is None:
        return Sequence(name, cameras_of_files(files, "mono")[0], entries, notes=notes)
    if files[0].exists():
        raise calibration_exists(folder, files[0].name)
    guess = guess_camera(fov, (entry.image for entry in entries))
    return Sequence(name, guess.camera, entries, notes=(guess.note, *notes), calibration_guess=guess.origin)


def _open_stereo(folder: Path, fps: float, camera: Items[Path]) -> Sequence:
    if not ((folder / "left").is_dir() and (folder / "right").is_dir()):
        raise MissingSensorError(f"{folder} has no left/ and right/, so there is no right camera; use mode mono.")
    left, rig = cameras_of_files(camera or [_side_calibration(folder, side) for side in ("left", "right")], "stereo")
    lefts, notes = _stamped(folder / "left", fps)
    entries, pairing = _with_right(folder / "right", lefts)
    return Sequence(folder.resolve().name, left, entries, rig=rig, notes=notes + pairing)


def _with_right(folder: Path, lefts: list[tuple[int, Path]]) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Pair images by file name, by the numbers in it (left_01, right_1), or by the stamps in it."""
    images = list_camera_images(folder)
    stamps = [stamps_in_names([image.stem for image in files]) for files in ([left for _, left in lefts], images)]
    if not {left.name for _, left in lefts} <= {image.name for image in images} and None not in stamps:
        times = dict(zip(stamps[1][0], images, strict=True)) if stamps[1] else {}
        pairs, notes = pair_stamps([stamp for stamp, _ in lefts], list(times))
        if not pairs:
            raise NoFramesError(f"No image of {folder} is within 5 ms of one of left/; use mode mono.")
        return tuple(Entry(t, image, times[pairs[t]], None, pairs[t] - t) for t, image in lefts if t in pairs), notes
    by_number = {_numbers(image): image for image in images}
    paired = [(stamp, left, by_number.get(_numbers(left))) for stamp, left in lefts]
    missing = sum(right is None for _, _, right in paired)
    if missing and len(images) > len(lefts) - missing:  # numbered in another way
        numbers = [f"{files[0].name} to {files[-1].name}" for files in ([left for _, left in lefts], images)]
        raise SequenceError(
            f"{folder} holds {numbers[1]}, and left/ holds {numbers[0]}: the images of a pair need the same number or "
            "stamp in their names."
        )
    return tuple(Entry(stamp, left, right=right or folder / left.name) for stamp, left, right in paired), ()


def _numbers(image: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]+", image.stem))


def _side_calibration(folder: Path, side: str) -> Path:
    """Return the calibration of a camera of a pair: left.yaml, else left.yml or a YAML file in left/."""
    named = folder / f"{side}.yaml"
    others = [folder / f"{side}.yml", *sorted(p for p in (folder / side).iterdir() if _YAML.fullmatch(p.name))]
    return named if named.exists() else next((path for path in others if path.exists()), named)


def _find_calibration(folder: Path) -> Path:
    """Return camera.yaml, else the only YAML file. Raises SequenceError if there are several."""
    named = folder / "camera.yaml"
    others = sorted(path for path in folder.iterdir() if _YAML.fullmatch(path.name))
    if named.exists() or not others:
        return named
    if len(others) > 1:
        names = shortened(", ".join(path.name for path in others))
        raise SequenceError(f"{folder} has several YAML files, {names}: name the calibration camera.yaml.")
    return others[0]


def _stamped(folder: Path, fps: float) -> tuple[list[tuple[int, Path]], tuple[str, ...]]:
    """Return (stamp in nanoseconds, image) in order of time, and notes.

    The stamps are those of the file names, else by number at `fps`.
    """
    images = list_camera_images(folder)
    if found := stamps_in_names([image.stem for image in images]):
        stamps, notation = found
        return sorted(zip(stamps, images, strict=True)), (f"the names in {folder.name}/ hold stamps: {notation}",)
    ordered = list(zip(stamps_at(range(len(images)), fps, folder), sorted(images, key=_natural), strict=True))
    hint = "; set --fps" if fps == DEFAULT_FPS else ""
    numbering = _numbering([image for _, image in ordered])
    return ordered, (f"no stamps in the names of {folder.name}/: taking {fps:g} frames per second{hint}{numbering}",)


def _numbering(images: list[Path]) -> str:
    """Return a clause on numbers in file names that are no complete count: times of another clock, or gaps."""
    counts = [numbers[-1] for numbers in map(_numbers, images) if numbers]
    steps = [after - before for before, after in itertools.pairwise(counts)]
    if len(counts) < len(images) or not steps:
        return ""
    usual = median_low(steps)
    gaps = sum(step > usual for step in steps)
    if usual > 1:
        return f"; the numbers in them rise by {usual}: if they are times, set --fps to their rate"
    return f"; gaps in their numbers ({gaps}) take no time" if gaps else ""


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts frame2 before frame10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.stem)]
