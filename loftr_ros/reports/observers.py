"""What watches a run, frame by frame: bag, video, recording of Rerun and window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.reports.run_bag import recording_run
from loftr_ros.reports.run_picture import RunPicture
from loftr_ros.reports.run_rerun import recording_rerun, rerun_for
from loftr_ros.reports.run_video import check_suffix, frame_rate, recording_video
from loftr_ros.reports.run_window import open_window
from loftr_ros.sequences.sequence import Sequence

Observer = Callable[[Frame, OdometryEstimate], None]
_Show = Callable[[NDArray[np.uint8]], None]


@dataclass(frozen=True)
class Outputs:
    """What is wanted besides the results.

    Attributes:
        bag, video, rerun: files to write.
        view: whether to show a window.
    """

    bag: Path | None = None
    video: Path | None = None
    rerun: Path | None = None
    view: bool = False

    def check(self) -> None:
        """Check before the run what can be. Raises OutputError."""
        if self.video is not None:
            check_suffix(self.video)
        if self.rerun is not None:
            rerun_for(self.rerun)


@contextmanager
def observing(outputs: Outputs, sequence: Sequence, say: Callable[[str], None]) -> Iterator[list[Observer]]:
    """Yield the observers of a run.

    Args:
        outputs: what is wanted.
        sequence: of the run.
        say: tells the user what is not possible.

    Raises:
        OutputError: a file cannot be written.
    """
    with ExitStack() as stack:
        observers: list[Observer] = []
        if outputs.bag is not None:
            bag = stack.enter_context(recording_run(outputs.bag, sequence.calibration_guess))
            observers.append(bag.add)
        if outputs.rerun is not None:
            recording = recording_rerun(outputs.rerun, sequence.name, sequence.ground_truth)
            observers.append(stack.enter_context(recording).add)
        shows: list[_Show] = []
        if outputs.video is not None:
            rate = frame_rate([entry.stamp_ns for entry in sequence.entries])
            shows.append(stack.enter_context(recording_video(outputs.video, rate)).add)
        if outputs.view:
            window = open_window()
            if isinstance(window, str):
                say(window)
            else:
                stack.callback(window.close)
                shows.append(_until_closed(window.show, say))
        if shows:
            observers.append(_drawing(RunPicture(sequence.ground_truth, sequence.calibration_guess), shows))
        yield observers


def _drawing(picture: RunPicture, shows: list[_Show]) -> Observer:
    def add(frame: Frame, estimate: OdometryEstimate) -> None:
        drawn = picture.draw(frame, estimate)
        for show in shows:
            show(drawn)

    return add


def _until_closed(show: Callable[[NDArray[np.uint8]], bool], say: Callable[[str], None]) -> _Show:
    is_open = True

    def add(picture: NDArray[np.uint8]) -> None:
        nonlocal is_open
        if is_open and not show(picture):
            is_open = False
            say("the window was closed; the run goes on")

    return add
