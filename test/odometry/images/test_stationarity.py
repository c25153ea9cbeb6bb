"""The tile motion averages the noise of matches, and sees motion that is common to most tiles."""

import numpy as np
import pytest

from loftr_ros.odometry.images.stationarity import tile_motion

POINTS = np.stack(np.meshgrid(np.arange(0.0, 640, 8), np.arange(0.0, 480, 8)), -1).reshape(-1, 2).astype(np.float32)


def noisy(points: np.ndarray, sigma: float) -> np.ndarray:
    return (points + np.random.default_rng(0).normal(scale=sigma, size=points.shape)).astype(np.float32)


def test_the_noise_of_single_matches_is_averaged() -> None:
    assert tile_motion(POINTS, noisy(POINTS, 1.0)) < 0.2


def test_a_common_motion_is_measured() -> None:
    assert tile_motion(POINTS, noisy(POINTS + np.float32(0.6), 0.3)) == pytest.approx(np.hypot(0.6, 0.6), abs=0.1)


def test_motion_in_a_single_tile_has_no_effect() -> None:
    moved = POINTS.copy()
    moved[(POINTS[:, 0] < 150) & (POINTS[:, 1] < 110)] += 5
    assert tile_motion(POINTS, moved) < 1e-6


def test_distant_tiles_do_not_hide_the_motion_of_near_ones() -> None:
    moved = POINTS.copy()
    moved[POINTS[:, 1] > 240] += 2
    assert tile_motion(POINTS, moved) == pytest.approx(np.hypot(2, 2))
