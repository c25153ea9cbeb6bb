"""A trajectory for all tests of the evaluation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.geometry import se3


@pytest.fixture
def wandering() -> Callable[..., Trajectory]:
    """A random walk of `count` poses at 10 Hz."""

    def make(count: int = 20, seed: int = 0) -> Trajectory:
        rng = np.random.default_rng(seed)
        poses: list[NDArray[np.float64]] = [np.eye(4)]
        for _ in range(count - 1):
            poses.append(poses[-1] @ se3.exp(rng.normal(size=6) * [0.1, 0.1, 0.5, 0.1, 0.1, 0.1]))
        # These are nanoseconds that a float64 of seconds cannot hold.
        return Trajectory(1_403_715_273_262_142_976 + 100_000_000 * np.arange(count, dtype=np.int64), np.array(poses))

    return make
