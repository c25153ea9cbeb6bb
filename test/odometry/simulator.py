"""Simulated scenes with exact ground truth: a camera among textured panels, and a matcher that projects them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame

CELL = 8
_STILL = np.zeros(6)


@dataclass(frozen=True)
class Panel:
    """A rectangle: center and two half axes at right angles, in the world (x right, y down, z forward), meters."""

    center: tuple[float, float, float]
    right: tuple[float, float, float]
    down: tuple[float, float, float]
    texture: float = 1.0
    """Share of its cells with a match."""
    motion: NDArray[np.float64] = field(default_factory=lambda: _STILL)
    """(6,) twist per frame of a moving object, in world axes."""

    def pose(self, index: int) -> NDArray[np.float64]:
        """(4, 4) motion from frame 0 to frame `index`."""
        return se3.exp(index * self.motion)

    def depth(self, T_panel_camera: NDArray[np.float64], directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) multiples of the (N, 3) directions in the camera up to the intersection; infinite without one."""
        axes = np.array([self.right, self.down, np.cross(self.right, self.down)])
        origin = axes @ (T_panel_camera[:3, 3] - self.center)
        right, down, normal = (axes @ T_panel_camera[:3, :3]) @ directions.T
        with np.errstate(divide="ignore", invalid="ignore"):
            z = -origin[2] / normal
            inside = np.abs(origin[0] + z * right) <= axes[0] @ axes[0]
            inside &= np.abs(origin[1] + z * down) <= axes[1] @ axes[1]
        return np.where(inside & (z > 0), z, np.inf)


def room(size: tuple[float, float, float], texture: float = 1.0) -> list[Panel]:
    """The inside of a box around the origin."""
    x, y, z = np.array(size) / 2
    return [
        *(Panel((sign * x, 0, 0), (0, 0, z), (0, y, 0), texture) for sign in (-1, 1)),
        *(Panel((0, sign * y, 0), (x, 0, 0), (0, 0, z), texture) for sign in (-1, 1)),
        *(Panel((0, 0, sign * z), (x, 0, 0), (0, y, 0), texture) for sign in (-1, 1)),
    ]


def highway(near_texture: float = 0.03) -> list[Panel]:
    """A smooth road 1.6 m below the camera, and houses and hills 50 to 500 m away."""
    road = Panel((0, 1.6, 500), (40, 0, 0), (0, 0, 500), near_texture)
    sides = [
        Panel((sign * x, -4, z), (6, 0, 0), (0, 6, 0)) for sign in (-1, 1) for x, z in ((15, 55), (30, 90), (60, 160))
    ]
    return [road, *sides, Panel((0, -40, 500), (600, 0, 0), (0, 80, 0))]


def wall(distance: float) -> list[Panel]:
    """A plane that fills the view."""
    return [Panel((0, 0, distance), (50, 0, 0), (0, 50, 0))]


@dataclass
class World:
    """Camera poses in a scene, and errors of images and matches."""

    poses: list[NDArray[np.float64]]
    noise_px: float = 0.2
    """Standard deviation of a typical match."""
    outliers: float = 0.1
    """Share of outliers, uniform in the image."""
    size: tuple[float, float, float] = (8.0, 5.0, 12.0)
    """Size of the room, meters, without `panels`."""
    panels: list[Panel] | None = None
    blind: frozenset[int] = frozenset()
    """Frames without matches."""
    dropped: frozenset[int] = frozenset()
    """Frames that are dropped."""
    stereo_noise_px: float | None = None
    """Standard deviation of left-right matches; None: `noise_px`."""
    disparity_error_px: float = 0.0
    """Offset of matches in right images to the right, as from a wrong calibration."""
    depth_noise: float = 0.0
    """Relative standard deviation of depth images."""
    depth_images: bool = True
    """Whether to render depth images, which is slow."""
    uneven: float = 1.0
    """Ratio of the match noise along and across a direction of each match, as in `covariance_b`."""
    repeated: float = 0.0
    """Share of the image, from the left, with repeated texture: its matches are off by `period_px`."""
    period_px: tuple[float, float] = (20.0, 0.0)
    camera: Camera = field(
        default_factory=lambda: Camera(320, 240, np.array([[250.0, 0, 159.5], [0, 250, 119.5], [0, 0, 1]]))
    )
    rig: StereoRig | None = None
    """None: rectified, 0.2 m."""
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))

    def __post_init__(self) -> None:
        """Complete the fields; images show a checkerboard."""
        self.rig = self.rig or StereoRig.rectified(self.camera, 0.2)
        self._panels = room(self.size) if self.panels is None else self.panels
        row, column = np.mgrid[0 : self.camera.height, 0 : self.camera.width] // CELL
        self._view = np.asarray(60 + 120 * ((row + column) % 2), np.uint8)

    def frame(self, index: int, period_s: float = 0.1) -> Frame:
        """A frame with right image and depth. The first pixels encode the index, for the matcher."""
        left, right = self._view.copy(), self._view.copy()
        left[0, :2], right[0, :2] = (index % 256, 0), (index % 256, 1)
        left[0, 2] = right[0, 2] = index // 256
        depth = self._depth_image(index) if self.depth_images else None
        stamp_ns = round(1e9 * period_s * index)
        return Frame(stamp_ns, left, self.camera, right, depth, self.rig)

    def frames(self) -> Iterator[Frame]:
        """All frames that are not dropped."""
        return (self.frame(index) for index in range(len(self.poses)) if index not in self.dropped)

    def depth(self, T_world_camera: NDArray[np.float64], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) depth z at (N, 2) pixels, at frame 0."""
        return self._meet(0, T_world_camera, pixels)[0]

    def extract(self, image: NDArray[np.uint8]) -> tuple[int, int]:
        """Index of the frame, and whether it is the right image."""
        high = int(image[0, 2]) if len(self.poses) > 256 else 0
        return int(image[0, 0]) + 256 * high, int(image[0, 1])

    def pose(self, features: tuple[int, int]) -> NDArray[np.float64]:
        """(4, 4) T_world_camera of an image."""
        index, is_right = features
        assert self.rig is not None
        return self.poses[index] @ (self.rig.T_left_right if is_right else np.eye(4))

    def match(self, features_a: tuple[int, int], features_b: tuple[int, int]) -> Matches:
        """Project the cells of a into b, with noise and outliers; no matches in blind frames."""
        points_a = self._cells() if not {features_a[0], features_b[0]} & self.blind else np.zeros((0, 2))
        z, panel = self._meet(features_a[0], self.pose(features_a), points_a)
        textured = (
            np.random.default_rng(features_a[0]).random(len(z)) < np.array([p.texture for p in self._panels])[panel]
        )
        in_b = self._seen_later(features_a, features_b, points_a, z, panel)
        visible = np.isfinite(z) & textured & (in_b[:, 2] > 0.1)
        points_b = np.full_like(points_a, -1.0)
        lens = self.rig.right if features_b[1] and self.rig else self.camera
        points_b[visible] = lens.project(in_b[visible])
        visible &= ((points_b >= 0) & (points_b < (self.camera.width, self.camera.height))).all(axis=1)
        is_stereo = features_a[0] == features_b[0]
        noise_px = self.noise_px if self.stereo_noise_px is None or not is_stereo else self.stereo_noise_px
        covariance_b = self._covariances(len(points_a))
        noise = np.linalg.cholesky(covariance_b) @ self.rng.standard_normal((len(points_a), 2, 1))
        points_b += noise_px * noise[:, :, 0]
        points_b[:, 0] += features_b[1] * self.disparity_error_px
        points_b[points_a[:, 0] < self.repeated * self.camera.width] += self.period_px
        wrong = self.rng.random(len(points_b)) < self.outliers
        points_b[wrong] = self.rng.uniform((0, 0), (self.camera.width, self.camera.height), (wrong.sum(), 2))
        cells = np.flatnonzero(visible)
        confidence = np.ones(len(cells), np.float32)
        matched_covariance = None if self.uneven == 1.0 else covariance_b[cells]
        return Matches(
            points_a[cells].astype(np.float32),
            points_b[cells].astype(np.float32),
            confidence,
            cells,
            matched_covariance,
        )

    def _cells(self) -> NDArray[np.float64]:
        """(N, 2) pixels of the centers of the cells."""
        row, column = np.mgrid[0 : self.camera.height // CELL, 0 : self.camera.width // CELL].reshape(2, -1)
        return CELL * np.column_stack([column, row]) + (CELL - 1) / 2

    def _depth_image(self, index: int) -> NDArray[np.float32]:
        """(H, W) depth z, 0 without a surface; the noise of neighboring pixels is correlated."""
        depth = reduce(np.minimum, self._depths(index, self.poses[index], self._directions))
        blocks = self.rng.standard_normal((self.camera.height // CELL + 1, self.camera.width // CELL + 1))
        noise = np.kron(blocks, np.ones((CELL, CELL)))[: self.camera.height, : self.camera.width]
        noisy = depth.reshape(noise.shape) * (1.0 + self.depth_noise * noise)
        return np.where(np.isfinite(noisy), noisy, 0.0).astype(np.float32)

    @cached_property
    def _directions(self) -> NDArray[np.float64]:
        """(H W, 3) of all pixels, on the plane z = 1."""
        y, x = np.mgrid[0 : self.camera.height, 0 : self.camera.width].reshape(2, -1)
        return self._directions_at(np.column_stack([x, y]))

    def _directions_at(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3), on the plane z = 1."""
        return np.column_stack([self.camera.normalize(pixels), np.ones(len(pixels))])

    def _depths(
        self, index: int, T_world_camera: NDArray[np.float64], directions: NDArray[np.float64]
    ) -> list[NDArray[np.float64]]:
        """(N,) depth z of each panel, infinite where it is not hit."""
        return [panel.depth(se3.inverse(panel.pose(index)) @ T_world_camera, directions) for panel in self._panels]

    def _meet(
        self, index: int, T_world_camera: NDArray[np.float64], pixels: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(N,) depth z of the nearest panel at (N, 2) pixels, infinite without one, and its index."""
        depths = self._depths(index, T_world_camera, self._directions_at(pixels))
        return np.min(depths, axis=0), np.argmin(depths, axis=0)

    def _seen_later(
        self,
        features_a: tuple[int, int],
        features_b: tuple[int, int],
        pixels: NDArray[np.float64],
        z: NDArray[np.float64],
        panel: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """(N, 3) points of image a at depth z in camera b, including the motion of their panels."""
        points = self._directions_at(pixels)
        points *= np.where(np.isfinite(z), z, 1.0)[:, None]
        in_b = np.zeros_like(points)
        for number, moving in enumerate(self._panels):
            moved = moving.pose(features_b[0]) @ se3.inverse(moving.pose(features_a[0]))
            T_b_a = se3.inverse(self.pose(features_b)) @ moved @ self.pose(features_a)
            in_b[panel == number] = points[panel == number] @ T_b_a[:3, :3].T + T_b_a[:3, 3]
        return in_b

    def _covariances(self, count: int) -> NDArray[np.float64]:
        """(N, 2, 2) covariances of matches, relative to a typical one."""
        if self.uneven == 1.0:
            return np.tile(np.eye(2), (count, 1, 1))
        angle = self.rng.uniform(0, np.pi, count)
        edge = np.column_stack([np.cos(angle), np.sin(angle)])
        across = np.eye(2) - edge[:, :, None] * edge[:, None]
        return np.asarray(edge[:, :, None] * edge[:, None] * self.uneven + across / self.uneven)
