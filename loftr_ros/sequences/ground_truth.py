"""Ground truth is a help: what is wrong with it must not keep the motion from being estimated."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError
from loftr_ros.sequences.errors import SequenceError


def read_ground_truth(path: Path, read: Callable[[Path], Trajectory]) -> tuple[Trajectory | None, str]:
    """Read the ground truth of a sequence, if there is any.

    Returns:
        The trajectory, or None; and the reason why the file that is there cannot be used, else an empty text.
    """
    if not os.path.lexists(path):
        return None, ""
    try:
        return read(path), ""
    except (TrajectoryError, SequenceError) as error:
        return None, str(error)
