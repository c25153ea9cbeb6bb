"""Video of a run: image with matches beside the growing trajectory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.output import OutputError, check_writable

_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
_MIN_FPS, _MAX_FPS = 1.0, 60.0


def frame_rate(stamps_ns: Sequence[int]) -> float:
    """Return the frames per second of a video of frames with these stamps, at most 60."""
    steps = [after - before for before, after in pairwise(stamps_ns)]
    return min(max(1e9 / median(steps), _MIN_FPS), _MAX_FPS) if steps else _MAX_FPS / 2


def check_suffix(path: Path) -> None:
    """Raise OutputError for a file that is not written."""
    if path.suffix.lower() not in _CODECS:
        raise OutputError(f"{path} cannot be written: a video is written as {' or '.join(_CODECS)}.")


@contextmanager
def recording_video(path: Path, fps: float) -> Iterator[VideoRecorder]:
    """Yield a video to write to; it is kept if the run ends early.

    Raises:
        OutputError: it cannot be written.
    """
    check_suffix(path)
    check_writable(path, "ab")
    video = VideoRecorder(path, fps)
    try:
        yield video
    finally:
        video.close()
    video.check()


class VideoRecorder:
    """Writes pictures of one size."""

    def __init__(self, path: Path, fps: float) -> None:
        """Open the file with the first picture."""
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None
        self._count = 0

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Write a picture, (H, W, 3) BGR. Raises OutputError."""
        if self._writer is None:
            height, width = picture.shape[:2]
            codec = cv2.VideoWriter.fourcc(*_CODECS[self._path.suffix.lower()])
            self._writer = cv2.VideoWriter(str(self._path), codec, self._fps, (width, height))
            if not self._writer.isOpened():
                raise OutputError(f"{self._path} cannot be written: this OpenCV writes no videos; install another.")
        self._writer.write(picture)
        self._count += 1

    def close(self) -> None:
        """Finish the file; one without a picture is removed."""
        if self._writer is not None:
            self._writer.release()
        else:
            with suppress(OSError):
                self._path.unlink()

    def check(self) -> None:
        """Read back how many frames the file has. Raises OutputError if some are missing."""
        if not self._count:
            return
        capture = cv2.VideoCapture(str(self._path))
        found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        if found < self._count:
            raise OutputError(f"{self._path} has {max(found, 0)} of {self._count} frames: is the disk full?")
