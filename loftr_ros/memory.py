"""Recognizes that memory ran out, which each library reports in its own way."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from loftr_ros.errors import LoftrRosError

# PyTorch on a CPU and on a GPU, OpenCV, C++, threads and shared libraries: RuntimeError, cv2.error and ImportError.
_TEXTS = (
    "out of memory",
    "insufficient memory",
    "allocate memory",
    "bad_alloc",
    "can't start new thread",
    "failed to map segment",
)


class TooLittleMemoryError(LoftrRosError):
    """Memory ran out in a program."""


def lacks_memory(error: BaseException) -> bool:
    """Return whether an exception of any library means that memory ran out."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return any(text in str(error).lower() for text in _TEXTS)


@contextmanager
def reporting_lack_of_memory() -> Iterator[None]:
    """Turn what a library raises without memory into an error for the user.

    Raises:
        TooLittleMemoryError: memory ran out.
    """
    try:
        yield
    except LoftrRosError:
        raise
    except Exception as error:
        if not lacks_memory(error):
            raise
        raise TooLittleMemoryError(
            "there is too little memory: end other programs, or use smaller images (run: --max-pixels) or fewer --jobs."
        ) from None  # the traceback holds memory
