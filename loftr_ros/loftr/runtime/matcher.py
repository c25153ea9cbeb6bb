"""The matcher that the odometry sees: NumPy images of any size in, NumPy matches out, features kept on the device."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.loftr.network.model import COARSE_STRIDE, FeatureMaps, LoFTR, cell_points
from loftr_ros.loftr.network.precision import Precision, features_dtype
from loftr_ros.loftr.runtime.budget import DEFAULT_BUDGET, ComputeBudget
from loftr_ros.loftr.runtime.device import MatcherError, OutOfMemory, find_device, limit_memory
from loftr_ros.loftr.runtime.inference import FastNetwork, Network, Table
from loftr_ros.loftr.runtime.self_check import disagreement, textured_pair
from loftr_ros.loftr.weights.checkpoints import load_model
from loftr_ros.matches import Matches

Gray = NDArray[np.uint8]
Mask = NDArray[np.uint8] | NDArray[np.bool_]
ResultT = TypeVar("ResultT")

MIN_SIDE = 8 * COARSE_STRIDE  # smaller images have too few coarse cells to match


@dataclass
class Features:
    """An image as the network keeps it.

    Attributes:
        image: (H, W), as it was given; not to be changed as long as it is matched.
        cells: (1, rows/8, columns/8) bool, coarse cells to use; None for all.
        size: rows and columns for the network.
        network: what computed the maps.
        maps: feature maps of one image, on the device.
    """

    image: Gray
    cells: Tensor | None
    size: tuple[int, int]
    network: Network
    maps: FeatureMaps

    @property
    def scale(self) -> tuple[float, float]:
        """Original pixels per network pixel, (x, y)."""
        return self.image.shape[1] / self.size[1], self.image.shape[0] / self.size[0]


class LoftrMatcher:
    """LoFTR with one pass of the backbone an image, however often the image is matched.

    Attributes:
        checkpoint: what the weights were loaded from.
        device: where the network runs.
        network: what it runs.
        effort: how much work goes into the next image and the next pair; may be set at any time. Features keep what
            they were made with, and may be matched with those of another effort.
        fallback: one sentence that says why the plain network runs in place of the fast one; None if it does not.
    """

    def __init__(
        self,
        model: LoFTR,
        device: torch.device,
        checkpoint: str,
        effort: ComputeBudget = DEFAULT_BUDGET,
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
        dtype = features_dtype(precision, device)
        fast = dtype is torch.float16
        self.network = FastNetwork(model, device) if fast else Network(model, device, dtype)
        self.device = device
        self.checkpoint = checkpoint
        self.effort = effort
        self.fallback: str | None = None
        self._original = model
        self._is_checked = not (fast and device.type == "cuda")

    @property
    def model(self) -> LoFTR:
        """The network, prepared for inference."""
        return self.network.model

    @property
    def precision(self) -> str:
        """Type in which the backbone computes."""
        return str(self.model.dtype).removeprefix("torch.")

    @torch.inference_mode()
    def extract(self, image: Gray, mask: Mask | None = None) -> Features:
        """Compute the features of an (H, W) grey image of any size from 64 x 64.

        Before the first image on a GPU the fast network is compared with the plain one, see `warm_up`.

        Args:
            image: to match.
            mask: (H, W), not zero where the image is of use; a coarse cell is used if its whole 8 x 8 block is.

        Raises:
            MatcherError: the image is no grey uint8 image or too small, or the mask is of another size.
            OutOfMemory: the image is too large for the device; the next ones will be shrunk further.
        """
        if image.ndim != 2 or image.dtype != np.uint8 or min(image.shape) < MIN_SIDE:
            raise MatcherError(
                f"the matcher needs a grey uint8 image of at least {MIN_SIDE} x {MIN_SIDE} pixels, "
                f"not shape {image.shape} of {image.dtype}"
            )
        if mask is not None and mask.shape != image.shape:
            raise MatcherError(f"the mask must have the shape of its image, {image.shape}, not {mask.shape}")
        if not self._is_checked:
            self._check(textured_pair(*image.shape), mask)
        size = network_size(image.shape[0], image.shape[1], self.effort.max_pixels)
        cells = None if mask is None else _whole_blocks(mask, *size)
        maps = self._within_memory(size, lambda: self._extract(image, cells, size))
        return Features(image, cells, size, self.network, maps)

    @torch.inference_mode()
    def match(self, features_a: Features, features_b: Features) -> Matches:
        """Match two images; points come back in the pixels of the original images.

        Raises:
            OutOfMemory: the images are too large for the device; the next ones will be shrunk further.
        """
        size = max(features_a.size, features_b.size, key=math.prod)
        table = self._within_memory(size, lambda: self._match(features_a, features_b))
        if isinstance(self.network, FastNetwork) and not np.isfinite(table).all():
            self._fall_back(f"checkpoint {self.checkpoint} makes numbers too large for float16")
            table = self._within_memory(size, lambda: self._match(features_a, features_b))
        table = table[table[:, 3] > 0]
        cell_a, centre = table[:, 0].astype(np.int64), self.model.config.pixel_centre
        return Matches(
            points_a=_to_original(
                cell_points(torch.from_numpy(cell_a), features_a.maps.grid).numpy(), features_a.scale, centre
            ),
            points_b=_to_original(table[:, 1:3], features_b.scale, centre),
            confidence=table[:, 3].copy(),
            cell_a=cell_a,
        )

    def _extract(self, image: Gray, cells: Tensor | None, size: tuple[int, int]) -> FeatureMaps:
        return self.network.extract(torch.from_numpy(np.ascontiguousarray(image)), cells, *size)

    def _match(self, *pair: Features) -> Table:
        for features in pair:
            if features.network is not self.network:
                features.maps = self._extract(features.image, features.cells, features.size)
                features.network = self.network
        a, b = pair
        return self.network.match(a.maps, b.maps, self.effort.max_matches)

    def _within_memory(self, size: tuple[int, int], work: Callable[[], ResultT]) -> ResultT:
        try:
            return work()
        except torch.cuda.OutOfMemoryError:
            pass  # what the call held is not free before this clause is left
        self.network.forget()
        torch.cuda.empty_cache()
        least = MIN_SIDE**2
        if self.effort.max_pixels <= least:
            raise OutOfMemory(f"{self.device} has too little memory even at max_pixels {least}: free some of it")
        self.effort = replace(self.effort, max_pixels=max(math.prod(size) // 2, least))
        raise OutOfMemory(
            f"{self.device} has too little memory for images of {size[1]} x {size[0]} pixels: matching goes on with "
            f"max_pixels {self.effort.max_pixels}; set that, or raise the limit of GPU memory if there is one"
        )

    @torch.inference_mode()
    def warm_up(self, height: int, width: int, mask: Mask | None = None) -> float:
        """Match once at this size of images, so that the first real pair does not take longer; returns the seconds.

        The fast network is compared with the plain one. If it fails or finds something else, the plain one runs from
        then on, a warning says so, and `fallback` says why.

        Raises:
            MatcherError: as for `extract`.
        """
        start = perf_counter()
        pair = textured_pair(height, width)
        self._check(pair, mask)
        self.match(*(self.extract(image, mask) for image in pair))
        return perf_counter() - start

    def _check(self, pair: tuple[Gray, Gray], mask: Mask | None) -> None:
        """Replace the fast network by the plain one unless both find the same in a pair of images."""
        self._is_checked = True
        if not isinstance(self.network, FastNetwork):
            return
        try:
            features = [self.extract(image, mask) for image in pair]
            found = self._within_memory(features[0].size, lambda: self._match(*features))
        except MatcherError:  # of the image or of its size; the next one is checked
            self._is_checked = False
            raise
        except Exception as error:  # whatever a GPU, its driver and its libraries may refuse
            self._fall_back(f"it failed ({str(error).splitlines()[0] if str(error) else type(error).__name__})")
            return
        try:
            expected = self._match_plainly(*features)
        except torch.cuda.OutOfMemoryError:
            logging.getLogger(__name__).info("%s has too little memory to check the fast path for GPUs", self.device)
            return
        if problem := disagreement(found, expected, self.effort.max_matches):
            self._fall_back(problem)

    def _match_plainly(self, *pair: Features) -> Table:
        """Find all matches of two images without the fast network."""
        plain = Network(self._original, self.device, torch.float32)
        a, b = (plain.extract(torch.from_numpy(one.image), one.cells, *one.size) for one in pair)
        return plain.match(a, b, 0)

    def _fall_back(self, reason: str) -> None:
        """Go on with the plain network: float32, no fixed shapes and no CUDA graphs."""
        self.fallback = f"the fast path for GPUs is switched off, so matching is slower, in float32: {reason}"
        logging.getLogger(__name__).warning(self.fallback)
        self.network.forget()
        self.network = Network(self._original, self.device, torch.float32)


def load_matcher(
    checkpoint: str = "compact",
    device: str = "auto",
    effort: ComputeBudget = DEFAULT_BUDGET,
    precision: Precision = "auto",
    memory_limit_mib: int = 0,
) -> LoftrMatcher:
    """Load a checkpoint and put it on a device.

    Args:
        checkpoint: see `loftr_ros.loftr.weights.checkpoints.load_model`.
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


def _whole_blocks(mask: Mask, rows: int, columns: int) -> Tensor:
    """(1, rows/8, columns/8) bool: cells of the network's image of which every original pixel is of use."""
    unused = torch.from_numpy(np.equal(mask, 0))[None].float()
    return F.adaptive_max_pool2d(unused, (rows // COARSE_STRIDE, columns // COARSE_STRIDE)) == 0


def _to_original(points: NDArray[np.float32], scale: tuple[float, float], centre: float) -> NDArray[np.float32]:
    """Network pixels to original pixels, both axes apart.

    Resizing keeps the corner of the image fixed, so points scale about (-0.5, -0.5), where pixel centres are whole.
    """
    corner = np.float32(0.5 - centre)
    return (points + corner) * np.array(scale, np.float32) - np.float32(0.5)
