"""Window that shows a run while it goes on: by OpenCV, or by Tk where OpenCV was built without windows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

_TITLE = "loftr-ros run"
_PROBE_S = 60
# Tried in a process of their own, as OpenCV's Qt ends the process where it finds no display.
_PROBES = {
    "cv2": "import cv2; cv2.namedWindow('probe'); cv2.waitKey(1); cv2.destroyAllWindows()",
    "tkinter": "import tkinter; tkinter.Tk().destroy()",
}


class Window(Protocol):
    """A window, as both toolkits have it."""

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show a picture; returns False once the user has closed the window."""

    def close(self) -> None:
        """Close it."""


def open_window() -> Window | str:
    """Return a window, or one sentence on why there is none."""
    instead = "--video FILE.mp4 writes the same pictures"
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return f"no window, as there is no display; {instead}"
    toolkits: dict[str, Callable[[], Window]] = {"cv2": OpenCvWindow, "tkinter": TkWindow}
    for name, toolkit in toolkits.items():
        if _works(_PROBES[name]):
            return toolkit()
    return (
        "no window, as the display cannot be opened, or this OpenCV has no windows (opencv-python-headless) and Tk is "
        f"missing (apt install python3-tk); {instead}"
    )


def _works(code: str) -> bool:
    command = [sys.executable, "-c", code]
    try:
        return subprocess.run(command, capture_output=True, timeout=_PROBE_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class OpenCvWindow:
    """A window of OpenCV."""

    def __init__(self) -> None:
        """Open it."""
        cv2.namedWindow(_TITLE, cv2.WINDOW_AUTOSIZE)

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show a picture; see `Window`."""
        try:
            if cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
                return False
            cv2.imshow(_TITLE, picture)
            cv2.waitKey(1)
        except cv2.error:
            return False
        return True

    def close(self) -> None:
        """Close it."""
        cv2.destroyAllWindows()


class TkWindow:
    """A window of Tk."""

    def __init__(self) -> None:
        """Open it."""
        import tkinter

        self._error = tkinter.TclError
        self._photo_image = tkinter.PhotoImage
        self._root = tkinter.Tk()
        self._root.title(_TITLE)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._shown: Any = None

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show a picture; see `Window`."""
        _, data = cv2.imencode(".ppm", picture)
        try:
            self._shown = self._photo_image(data=data.tobytes(), format="PPM")  # Tk does not keep it
            self._label.configure(image=self._shown)
            self._root.update()
        except self._error:  # closed
            return False
        return True

    def close(self) -> None:
        """Close it."""
        with suppress(self._error):
            self._root.destroy()
