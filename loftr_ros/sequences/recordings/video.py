"""Opens a video file as a sequence, by OpenCV; its calibration is camera.yaml beside it, or a file that is given."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.config import Mode
from loftr_ros.sequences.errors import DamagedImageError, MissingSensorError, SequenceError
from loftr_ros.sequences.guessed_camera import EXIF, FieldOfView, calibration_exists, guess_camera
from loftr_ros.sequences.images import RecordedImage
from loftr_ros.sequences.recordings.camera_files import cameras_of_files
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import stamps_at
from loftr_ros.sequences.unsupported_formats import EXAMPLE, HOW_TO_CALIBRATE

EXPECTED_FILES = "a video: .mp4, .avi, .mov, .mkv"
_MIN_SHARE = 0.98  # of the frames by the file, below which some are missing
SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".mjpeg")


def is_video(path: Path) -> bool:
    """Return whether a path is a video file, by its name."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def open_video(
    path: Path,
    mode: Mode,
    fps: float | None = None,
    camera: Items[Path] = (),
    fov: FieldOfView | None = None,
) -> Sequence:
    """Open a video; one pass reads the times of all frames, as many files tell their number wrongly.

    Args:
        path: the file.
        mode: "mono".
        fps: frames per second; None: the times in the file.
        camera: calibration file; else camera.yaml, or a YAML file with the name of the video, in its folder.
        fov: guess the calibration from it.

    Raises:
        SequenceError: there is no calibration, or the file cannot be decoded.
    """
    if mode != "mono":
        raise MissingSensorError(f"{path} is a video, which has one camera; use mode mono.")
    files = camera or _calibrations_beside(path)[:1]
    if fov is not None and files:
        raise calibration_exists(path, str(files[0]))
    if fov is None and not files:
        raise SequenceError(
            f"{path} has no calibration: put a camera.yaml beside it, or give --camera FILE, in YAML: {EXAMPLE}; "
            f"{HOW_TO_CALIBRATE}."
        )
    calibrated = cameras_of_files(files, mode)[0] if fov is None else None
    video = Video(path)
    times_ns, notes = _times(video, fps)
    entries = tuple(Entry(time_ns, VideoImage(video, index)) for index, time_ns in enumerate(times_ns))
    name, notes = path.resolve().stem, (*notes, *_rotation(video))
    if calibrated is not None:
        return Sequence(name, calibrated, entries, notes=notes)
    guess = guess_camera(fov or EXIF, (entry.image for entry in entries))
    return Sequence(name, guess.camera, entries, notes=(guess.note, *notes), calibration_guess=guess.origin)


class Video:
    """A video file: decodes frames by their number, going on from the last one.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        """Open the file. Raises SequenceError."""
        self.path = path
        self._capture = self._opened()
        self._next = 0  # frame that is decoded next

    def times(self) -> list[float]:
        """Return the times of all frames as the file tells them, milliseconds."""
        self._rewind()
        times = []
        while self._capture.grab():
            times.append(float(self._capture.get(cv2.CAP_PROP_POS_MSEC)))
            self._next += 1
        return times

    def rate(self) -> float:
        """Return the frame rate by the file, 0 if it has none."""
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        return rate if 0 < rate < 1e4 else 0.0

    def count(self) -> int:
        """Return the number of frames by the file, often an estimate."""
        return int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def rotation(self) -> int:
        """Return by how many degrees a player rotates the frames."""
        return int(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360

    def frame(self, index: int) -> NDArray[Any] | None:
        """Return a frame, or None if it cannot be decoded."""
        if index < self._next:
            self._rewind()  # a search by frame number is not exact with all codecs
        while self._next < index:
            if not self._capture.grab():
                return None
            self._next += 1
        self._next += 1
        return self._capture.read()[1] if self._capture.isOpened() else None

    def _rewind(self) -> None:
        if self._next:
            self._capture.release()
            self._capture, self._next = self._opened(), 0

    def _opened(self) -> cv2.VideoCapture:
        try:
            with self.path.open("rb"):
                pass
        except OSError as error:
            raise SequenceError(f"{self.path} cannot be read: {error.strerror}; check its permissions.") from error
        capture = cv2.VideoCapture(str(self.path))
        if not capture.isOpened():
            raise SequenceError(
                f"{self.path} cannot be decoded as a video: it is damaged, or has a codec that OpenCV lacks; convert "
                "it, ffmpeg -i VIDEO -c:v libx264 NEW.mp4, or extract its images, ffmpeg -i VIDEO DIR/%06d.png."
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # as the camera made them, which its calibration is of
        return capture


@dataclass(frozen=True, eq=False)
class VideoImage(RecordedImage):
    """A frame of a video."""

    video: Video
    index: int

    @property
    def name(self) -> str:  # type: ignore[override]
        """Number of the frame."""
        return f"frame {self.index}"

    @property
    def parent(self) -> Path:  # type: ignore[override]
        """The file."""
        return self.video.path

    def __str__(self) -> str:
        return f"{self.name} of {self.parent}"

    def gray(self) -> NDArray[np.uint8]:
        """Return the (H, W) gray image."""
        image = self.as_stored()
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image, np.uint8)

    def depth(self, units_per_meter: float) -> NDArray[np.float32]:
        """Raise SequenceError: a video has no depth."""
        raise SequenceError(f"{self.parent} is a video, which has no depth; use mode mono.")

    def as_stored(self) -> NDArray[Any]:
        """Return the image in color."""
        image = self.video.frame(self.index)
        if image is None:
            raise DamagedImageError(f"{self} cannot be decoded: the video is damaged there.")
        return image


def _calibrations_beside(path: Path) -> list[Path]:
    """Return the calibrations in the folder of a video, the more specific first."""
    return [file for file in (path.with_suffix(".yaml"), path.with_name("camera.yaml")) if file.is_file()]


def _times(video: Video, fps: float | None) -> tuple[list[int], tuple[str, ...]]:
    """Return the times of the frames, nanoseconds, and notes."""
    times = video.times()
    if not times:
        raise SequenceError(f"{video.path} has no frames that can be decoded: it is damaged or ends early.")
    rate, missing = video.rate(), list[str]()
    if len(times) < _MIN_SHARE * video.count() - 1:
        missing = [f"the file tells {video.count()} frames, but {len(times)} can be decoded: it is damaged there"]
    if fps is None and all(before < after for before, after in pairwise(times)):
        constant = f"{rate:.6g} frames per second" if rate else "the times in the file"
        return [round(time * 1e6) for time in times], (f"{len(times)} frames, {constant}", *missing)
    fps = fps or rate
    if not fps:
        raise SequenceError(f"{video.path} tells neither times nor the frame rate: give --fps.")
    return stamps_at(range(len(times)), fps, video.path), (f"{len(times)} frames, taking {fps:g} per second", *missing)


def _rotation(video: Video) -> tuple[str, ...]:
    degrees = video.rotation()
    if not degrees:
        return ()
    return (f"the rotation by {degrees} degrees in the file is ignored: images stay as the camera made them",)
