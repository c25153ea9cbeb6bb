"""Optional ground truth: a file that is not valid must not prevent the odometry from running."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError
from loftr_ros.sequences.errors import SequenceError


def read_ground_truth(path: Path, read: Callable[[Path], Trajectory]) -> tuple[Trajectory | None, str]:
    """Read the ground truth of a sequence, if it exists.

    Returns:
        The trajectory or None, and the error of a file that is not valid, else an empty text.
    """
    if not os.path.lexists(path):
        return None, ""
    try:
        return read(path), ""
    except (TrajectoryError, SequenceError) as error:
        return None, str(error)
