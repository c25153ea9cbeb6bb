"""The matcher that the odometry sees: NumPy images of any size in, NumPy matches out, features kept on the device."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.loftr.checkpoints import load_model
from loftr_ros.loftr.device import MatcherError, find_device, limit_memory
from loftr_ros.loftr.matcher_config import DEFAULT_EFFORT, Effort
from loftr_ros.loftr.model import COARSE_STRIDE, FeatureMaps, LoFTR
from loftr_ros.loftr.precision import Precision, features_dtype
from loftr_ros.matches import Matches

MIN_SIDE = 8 * COARSE_STRIDE  # smaller images have too few coarse cells to match


@dataclass(frozen=True)
class Features:
    """An image as the network keeps it.

    Attributes:
        maps: feature maps of one image, on the device.
        scale: original pixels per network pixel, (x, y).
    """

    maps: FeatureMaps
    scale: tuple[float, float]


class LoftrMatcher:
    """LoFTR with one pass of the backbone an image, however often the image is matched.

    Attributes:
        checkpoint: what the weights were loaded from.
        device: where the network runs.
        effort: how much work goes into the next image and the next pair; may be set at any time. Features keep what
            they were made with, and may be matched with those of another effort.
    """

    def __init__(
        self,
        model: LoFTR,
        device: torch.device,
        checkpoint: str,
        effort: Effort = DEFAULT_EFFORT,
        precision: Precision = "auto",
    ) -> None:
        """Prepare a network for inference.

        Args:
            model: stays as it is.
            device: to run on.
            checkpoint: its name, for reports.
            effort: see there.
            precision: of the backbone, see `precision.features_dtype`.
        """
        self.model = model.prepare(features_dtype(precision, device)).to(device)
        self.device = device
        self.checkpoint = checkpoint
        self.effort = effort

    @torch.inference_mode()
    def extract(self, image: NDArray[np.uint8], mask: NDArray[np.uint8] | NDArray[np.bool_] | None = None) -> Features:
        """Compute the features of an (H, W) grey image of any size from 64 x 64.

        Args:
            image: to match.
            mask: (H, W), not zero where the image is of use; a coarse cell is used if its whole 8 x 8 block is.

        Raises:
            MatcherError: the image is no grey uint8 image or too small, or the mask is of another size.
        """
        if image.ndim != 2 or image.dtype != np.uint8 or min(image.shape) < MIN_SIDE:
            raise MatcherError(
                f"the matcher needs a grey uint8 image of at least {MIN_SIDE} x {MIN_SIDE} pixels, "
                f"not shape {image.shape} of {image.dtype}"
            )
        if mask is not None and mask.shape != image.shape:
            raise MatcherError(f"the mask must have the shape of its image, {image.shape}, not {mask.shape}")
        height, width = image.shape
        rows, columns = network_size(height, width, self.effort.max_pixels)
        tensor = torch.from_numpy(np.ascontiguousarray(image)).to(self.device)[None, None].float() / 255
        cells = None if mask is None else _whole_blocks(mask, rows, columns).to(self.device)
        maps = self.model.extract(_resize(tensor, rows, columns), cells)
        return Features(maps, (width / columns, height / rows))

    @torch.inference_mode()
    def match(self, features_a: Features, features_b: Features) -> Matches:
        """Match two images; points come back in the pixels of the original images."""
        found = self.model.match(features_a.maps, features_b.maps)
        centre = self.model.config.pixel_centre
        return Matches(
            points_a=_to_original(found.points_a, features_a.scale, centre),
            points_b=_to_original(found.points_b, features_b.scale, centre),
            confidence=found.coarse.confidence.cpu().numpy(),
            cell_a=found.coarse.cell_a.cpu().numpy(),
        )

    def warm_up(self, height: int, width: int) -> float:
        """Match once at this size of images, so that the first real pair does not take longer; returns the seconds."""
        start = perf_counter()
        features = self.extract(np.zeros((height, width), np.uint8))
        self.match(features, features)
        return perf_counter() - start


def load_matcher(
    checkpoint: str = "compact",
    device: str = "auto",
    effort: Effort = DEFAULT_EFFORT,
    precision: Precision = "auto",
    memory_limit_mib: int = 0,
) -> LoftrMatcher:
    """Load a checkpoint and put it on a device.

    Args:
        checkpoint: see `loftr_ros.loftr.checkpoints.load_model`.
        device: "auto" (a GPU if there is one), or a torch device such as "cpu" or "cuda:0".
        effort: how much work goes into an image and a pair.
        precision: of the backbone: "float32", "bfloat16", "float16", or "auto" for the fastest that serves.
        memory_limit_mib: what this process may allocate of a GPU; 0 for all.

    Raises:
        CheckpointError: the weights cannot be used.
        MatcherError: the device does not exist, or has less memory.
        PrecisionError: the precision does not exist.
    """
    found = find_device(device)
    limit_memory(found, memory_limit_mib)
    return LoftrMatcher(load_model(checkpoint), found, checkpoint, effort, precision)


def network_size(height: int, width: int, max_pixels: int) -> tuple[int, int]:
    """Rows and columns at which an image is matched: the nearest multiples of 8, within the budget of pixels."""
    shrink = min(1.0, (max_pixels / (height * width)) ** 0.5)
    rows, columns = (max(round(side * shrink / COARSE_STRIDE) * COARSE_STRIDE, MIN_SIDE) for side in (height, width))
    return rows, columns


def _resize(image: Tensor, rows: int, columns: int) -> Tensor:
    if image.shape[2:] == (rows, columns):
        return image
    return F.interpolate(image, (rows, columns), mode="bilinear", align_corners=False, antialias=True)


def _whole_blocks(mask: NDArray[np.uint8] | NDArray[np.bool_], rows: int, columns: int) -> Tensor:
    """(1, rows/8, columns/8) bool: cells of the network's image of which every original pixel is of use."""
    unused = torch.from_numpy(np.equal(mask, 0))[None].float()
    return F.adaptive_max_pool2d(unused, (rows // COARSE_STRIDE, columns // COARSE_STRIDE)) == 0


def _to_original(points: Tensor, scale: tuple[float, float], centre: float) -> NDArray[np.float32]:
    """Network pixels to original pixels, both axes apart.

    Resizing keeps the corner of the image fixed, so points scale about (-0.5, -0.5), where pixel centres are whole.
    """
    corner = 0.5 - centre
    scaled = (points + corner) * torch.tensor(scale, device=points.device) - 0.5
    array: NDArray[np.float32] = scaled.cpu().numpy()
    return array
