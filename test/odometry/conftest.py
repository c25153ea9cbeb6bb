"""A synthetic world: a camera inside a box whose walls are met by rays, and a matcher that knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry import se3
from loftr_ros.odometry.camera import Camera
from loftr_ros.odometry.frame import Frame

CELL = 8


def chequered(height: int, width: int) -> NDArray[np.uint8]:
    """An image that passes for a view of something."""
    row, column = np.mgrid[0:height, 0:width] // CELL
    return np.asarray(60 + 120 * ((row + column) % 2), np.uint8)


@dataclass
class World:
    """A room of `size` metres around the origin (x right, y down, z forward), and the poses of a camera in it."""

    poses: list[NDArray[np.float64]]
    noise_px: float = 0.2
    outliers: float = 0.1
    size: tuple[float, float, float] = (8.0, 5.0, 12.0)
    blind: frozenset[int] = frozenset()
    camera: Camera = field(
        default_factory=lambda: Camera(
            320, 240, np.array([[250.0, 0, 159.5], [0, 250, 119.5], [0, 0, 1]]), baseline=0.2
        )
    )
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))

    def frame(self, index: int, period_s: float = 0.1) -> Frame:
        """A frame with right image and depth. The images hold their index, for the matcher."""
        image = chequered(self.camera.height, self.camera.width)
        image[0, :2] = index, 0
        right = image.copy()
        right[0, 1] = 1
        y, x = np.mgrid[0 : self.camera.height, 0 : self.camera.width]
        depth = self.depth(self.poses[index], np.column_stack([x.ravel(), y.ravel()]))
        return Frame(
            round(1e9 * period_s * index), image, self.camera, right, depth.reshape(image.shape).astype(np.float32)
        )

    def frames(self) -> list[Frame]:
        return [self.frame(index) for index in range(len(self.poses))]

    def depth(self, T_world_camera: NDArray[np.float64], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) z at which the rays of (N, 2) pixels meet the wall."""
        rays = np.column_stack([self.camera.normalize(pixels), np.ones(len(pixels))]) @ T_world_camera[:3, :3].T
        walls = np.sign(rays) * np.array(self.size) / 2
        with np.errstate(divide="ignore"):
            return np.asarray(((walls - T_world_camera[:3, 3]) / rays).min(axis=1))

    def extract(self, image: NDArray[np.uint8]) -> tuple[int, int]:
        return int(image[0, 0]), int(image[0, 1])

    def pose(self, features: tuple[int, int]) -> NDArray[np.float64]:
        index, is_right = features
        assert self.camera.baseline is not None
        return self.poses[index] @ se3.transform(np.eye(3), [self.camera.baseline * is_right, 0.0, 0.0])

    def match(self, features_a: tuple[int, int], features_b: tuple[int, int]) -> Matches:
        """Project the cells of a into b, with noise and outliers; nothing is seen in blind frames."""
        height, width = self.camera.height // CELL, self.camera.width // CELL
        if features_a[0] in self.blind or features_b[0] in self.blind:
            height = 0
        row, column = np.mgrid[0:height, 0:width].reshape(2, -1)
        points_a = CELL * np.column_stack([column, row]) + (CELL - 1) / 2
        T_a, T_b = self.pose(features_a), self.pose(features_b)
        rays = np.column_stack([self.camera.normalize(points_a), np.ones(len(points_a))])
        in_b = (rays * self.depth(T_a, points_a)[:, None]) @ T_a[:3, :3].T + T_a[:3, 3] - T_b[:3, 3]
        in_b = in_b @ T_b[:3, :3]
        visible = in_b[:, 2] > 0.1
        points_b = np.full_like(points_a, -1.0)
        points_b[visible] = self.camera.project(in_b[visible])
        points_b += self.noise_px * self.rng.standard_normal(points_b.shape)
        wrong = self.rng.random(len(points_b)) < self.outliers
        points_b[wrong] = self.rng.uniform((0, 0), (self.camera.width, self.camera.height), (wrong.sum(), 2))
        visible &= ((points_b >= 0) & (points_b < (self.camera.width, self.camera.height))).all(axis=1)
        cells = np.flatnonzero(visible)
        confidence = np.ones(len(cells), np.float32)
        return Matches(points_a[cells].astype(np.float32), points_b[cells].astype(np.float32), confidence, cells)


@pytest.fixture
def make_world() -> Callable[..., World]:
    """The class `World`."""
    return World


@pytest.fixture
def curve() -> Callable[..., list[NDArray[np.float64]]]:
    """Poses of a camera that moves forward in a curve: steps of (v, w) in its own axes."""

    def make(count: int, step: tuple[float, ...] = (0.03, 0.0, 0.12, 0.0, 0.02, 0.004)) -> list[NDArray[np.float64]]:
        poses = [se3.transform(np.eye(3), [-1.0, 0.3, -4.0])]
        for _ in range(count - 1):
            poses.append(poses[-1] @ se3.exp(np.array(step)))
        return poses

    return make
