"""Training pairs from image files with known depth and pose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from loftr_ros.training.data.rendering import View
from loftr_ros.training.data.scenes import ViewPair

THREADS = 8  # for reading and decoding, in which OpenCV releases the GIL

Key = TypeVar("Key")


@dataclass(frozen=True)
class PosedImage:
    """An image without distortion, with depth and pose.

    Attributes:
        image: (H, W) uint8 gray.
        depth: (H, W) float32 meters (or the unit of the pose) along the optical axis; 0 where unknown.
        K: (3, 3) camera matrix; the center of the top-left pixel is (0, 0).
        T_world_camera: (4, 4), optical frame.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    K: NDArray[np.float64]
    T_world_camera: NDArray[np.float64]

    def fitted(self, size: tuple[int, int]) -> PosedImage:
        """Crop the image centrally to the aspect ratio of `size` (height, width) and resize it.

        Without padding, which a network would learn to recognize.
        """
        rows, columns = self.image.shape
        scale = max(size[0] / rows, size[1] / columns)
        height, width = min(rows, round(size[0] / scale)), min(columns, round(size[1] / scale))
        top, left = (rows - height) // 2, (columns - width) // 2
        part = np.s_[top : top + height, left : left + width]
        stretch = np.array([size[1] / width, size[0] / height])

        K = self.K.copy()
        K[:2, :2] *= stretch[:, None]
        K[:2, 2] = (K[:2, 2] - (left, top) + 0.5) * stretch - 0.5
        smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(self.image[part], size[::-1], interpolation=smooth)
        # No interpolation between depths of two surfaces.
        depth = cv2.resize(self.depth[part], size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return PosedImage(np.asarray(image, np.uint8), np.asarray(depth, np.float32), K, self.T_world_camera)


def load_pairs(
    load: Callable[[Key], PosedImage],
    first: Sequence[Key],
    second: Sequence[Key],
    size: tuple[int, int],
    device: torch.device,
) -> ViewPair:
    """Load B pairs in parallel.

    Args:
        load: loads one image; called from several threads.
        first, second: keys of the images a and b.
        size: height and width of the result.
        device: device of the result.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        images = list(pool.map(lambda key: load(key).fitted(size), [*first, *second]))

    def stacked(arrays: list[NDArray[np.float32]] | list[NDArray[np.float64]]) -> torch.Tensor:
        return torch.from_numpy(np.stack(arrays)).float().to(device)

    image = torch.from_numpy(np.stack([entry.image for entry in images])).to(device)[:, None].float() / 255
    depth, K = stacked([entry.depth for entry in images]), stacked([entry.K for entry in images])
    half = len(first)
    # In double precision: in float32, poses far from the world origin lose centimeters.
    poses = [entry.T_world_camera for entry in images]
    T_b_a = stacked([np.linalg.inv(b) @ a for a, b in zip(poses[:half], poses[half:], strict=True)])
    return ViewPair(View(image[:half], depth[:half]), View(image[half:], depth[half:]), K[:half], T_b_a, K[half:])
