"""The matcher for the odometry: NumPy images of any size in, NumPy matches out, features kept on the device."""

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
from loftr_ros.memory import lacks_memory

Gray = NDArray[np.uint8]
Mask = NDArray[np.uint8] | NDArray[np.bool_]
ResultT = TypeVar("ResultT")

MIN_SIDE = 8 * COARSE_STRIDE  # smaller images have too few coarse cells to match


@dataclass
class Features:
    """Features of an image.

    Attributes:
        image: (H, W), the original image; not to be modified while the features are in use.
        cells: (1, rows/8, columns/8) bool, coarse cells to use; None for all.
        size: input size of the network, (rows, columns).
        network: the network that computed the maps.
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
    """LoFTR matching with one pass of the backbone per image, however often the image is matched.

    Attributes:
        checkpoint: name of the loaded checkpoint.
        device: device of the network.
        network: the network in use.
        budget: compute budget of the next image and pair; can be set at any time. Features of different budgets can be
            matched with each other.
        fallback: the reason why float32 inference replaces the GPU path; None if it does not.
    """

    def __init__(
        self,
        model: LoFTR,
        device: torch.device,
        checkpoint: str,
        budget: ComputeBudget = DEFAULT_BUDGET,
        precision: Precision = "auto",
    ) -> None:
        """Prepare a network for inference.

        Args:
            model: the network; not modified.
            device: device to run on.
            checkpoint: its name, for reports.
            budget: compute budget.
            precision: precision of the backbone, see `precision.features_dtype`.
        """
        dtype = features_dtype(precision, device)
        fast = dtype is torch.float16
        self.network = FastNetwork(model, device) if fast else Network(model, device, dtype)
        self.device = device
        self.checkpoint = checkpoint
        self.budget = budget
        self.fallback: str | None = None
        self._original = model
        self._is_checked = not (fast and device.type == "cuda")

    @property
    def model(self) -> LoFTR:
        """The network, prepared for inference."""
        return self.network.model

    @property
    def precision(self) -> str:
        """Data type of the backbone."""
        return str(self.model.dtype).removeprefix("torch.")

    @torch.inference_mode()
    def extract(self, image: Gray, mask: Mask | None = None) -> Features:
        """Compute the features of an (H, W) gray image of at least 64 x 64 pixels.

        On a GPU the first call runs the self-check, see `warm_up`.

        Args:
            image: uint8 gray values.
            mask: (H, W), nonzero where the image is used; a coarse cell is used if its whole 8 x 8 block is.

        Raises:
            MatcherError: the image is not gray uint8 or too small, the mask has another size, or the machine has too
                little memory now.
            OutOfMemory: the image is too large for the GPU; following images are downscaled further.
        """
        if image.ndim != 2 or image.dtype != np.uint8 or min(image.shape) < MIN_SIDE:
            raise MatcherError(
                f"the matcher needs a gray uint8 image of at least {MIN_SIDE} x {MIN_SIDE} pixels, "
                f"not shape {image.shape} of {image.dtype}"
            )
        if mask is not None and mask.shape != image.shape:
            raise MatcherError(f"the mask must have the shape of its image, {image.shape}, not {mask.shape}")
        if not self._is_checked:
            self._check(textured_pair(*image.shape), mask)
        size = network_size(image.shape[0], image.shape[1], self.budget.max_pixels)
        cells = None if mask is None else _whole_blocks(mask, *size)
        maps = self._within_memory(size, lambda: self._extract(image, cells, size))
        return Features(image, cells, size, self.network, maps)

    @torch.inference_mode()
    def match(self, features_a: Features, features_b: Features) -> Matches:
        """Match two images; points are in pixels of the original images.

        Raises:
            MatcherError: the machine has too little memory now.
            OutOfMemory: the images are too large for the GPU; following images are downscaled further.
        """
        size = max(features_a.size, features_b.size, key=math.prod)
        table = self._within_memory(size, lambda: self._match(features_a, features_b))
        if isinstance(self.network, FastNetwork) and not np.isfinite(table).all():
            self._fall_back(f"checkpoint {self.checkpoint} overflows float16")
            table = self._within_memory(size, lambda: self._match(features_a, features_b))
        table = table[table[:, 3] > 0]
        cell_a, center = table[:, 0].astype(np.int64), self.model.config.pixel_center
        return Matches(
            points_a=_to_original(
                cell_points(torch.from_numpy(cell_a), features_a.maps.grid).numpy(), features_a.scale, center
            ),
            points_b=_to_original(table[:, 1:3], features_b.scale, center),
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
        return self.network.match(a.maps, b.maps, self.budget.max_matches)

    def _within_memory(self, size: tuple[int, int], work: Callable[[], ResultT]) -> ResultT:
        try:
            return work()
        except torch.cuda.OutOfMemoryError:
            pass  # memory held by the traceback is freed when this clause is left
        except (RuntimeError, MemoryError) as error:
            if not lacks_memory(error):
                raise
            # The memory of the machine: others take it and give it back, so the images stay as large as they are.
            raise MatcherError(
                f"there is too little memory for images of {size[1]} x {size[0]} pixels: end other programs, or reduce "
                "max_pixels"
            ) from None
        self.network.forget()
        torch.cuda.empty_cache()
        minimum = MIN_SIDE**2
        if self.budget.max_pixels <= minimum:
            raise OutOfMemory(f"{self.device} has too little memory even at max_pixels {minimum}: free some of it")
        self.budget = replace(self.budget, max_pixels=max(math.prod(size) // 2, minimum))
        raise OutOfMemory(
            f"{self.device} has too little memory for images of {size[1]} x {size[0]} pixels: matching continues with "
            f"max_pixels {self.budget.max_pixels}; set that, or raise the limit of GPU memory if there is one"
        )

    @torch.inference_mode()
    def warm_up(self, height: int, width: int, mask: Mask | None = None) -> float:
        """Match a synthetic pair of this size, so that the first real pair is not delayed. Returns the seconds.

        On a GPU the self-check compares the GPU path with float32. If it fails or disagrees, float32 inference replaces
        it with a warning, and `fallback` holds the reason.

        Raises:
            MatcherError: as for `extract`.
        """
        start = perf_counter()
        pair = textured_pair(height, width)
        self._check(pair, mask)
        self.match(*(self.extract(image, mask) for image in pair))
        return perf_counter() - start

    def _check(self, pair: tuple[Gray, Gray], mask: Mask | None) -> None:
        """Fall back to float32 inference unless both paths agree on a pair of images."""
        self._is_checked = True
        if not isinstance(self.network, FastNetwork):
            return
        try:
            features = [self.extract(image, mask) for image in pair]
            found = self._within_memory(features[0].size, lambda: self._match(*features))
        except MatcherError:  # unsuitable image; the check is repeated with the next one
            self._is_checked = False
            raise
        except Exception as error:  # GPU, driver and libraries may raise anything
            self._fall_back(f"it failed ({str(error).splitlines()[0] if str(error) else type(error).__name__})")
            return
        try:
            expected = self._match_in_float32(*features)
        except torch.cuda.OutOfMemoryError:
            logging.getLogger(__name__).info("%s has too little memory for the self-check of the GPU path", self.device)
            return
        if difference := disagreement(found, expected, self.budget.max_matches):
            self._fall_back(difference)

    def _match_in_float32(self, *pair: Features) -> Table:
        """Find all matches of two images without the GPU path."""
        plain = Network(self._original, self.device, torch.float32)
        a, b = (plain.extract(torch.from_numpy(one.image), one.cells, *one.size) for one in pair)
        return plain.match(a, b, 0)

    def _fall_back(self, reason: str) -> None:
        """Switch to float32 inference without fixed shapes and CUDA graphs."""
        self.fallback = f"the GPU path is switched off, so matching is slower, in float32: {reason}"
        logging.getLogger(__name__).warning(self.fallback)
        self.network.forget()
        self.network = Network(self._original, self.device, torch.float32)


def load_matcher(
    checkpoint: str = "compact",
    device: str = "auto",
    budget: ComputeBudget = DEFAULT_BUDGET,
    precision: Precision = "auto",
    memory_limit_mib: int = 0,
) -> LoftrMatcher:
    """Load a checkpoint and put it on a device.

    Args:
        checkpoint: see `loftr_ros.loftr.weights.checkpoints.load_model`.
        device: "auto" (a GPU if there is one), or a torch device such as "cpu" or "cuda:0".
        budget: compute budget per image and pair.
        precision: precision of the backbone: "float32", "bfloat16", "float16", or "auto" for the fastest one that keeps
            the accuracy.
        memory_limit_mib: limit of the GPU memory of this process; 0 for none.

    Raises:
        CheckpointError: the weights cannot be used.
        MatcherError: the device does not exist, or has less memory than the limit.
        PrecisionError: unknown precision.
    """
    found = find_device(device)
    limit_memory(found, memory_limit_mib)
    return LoftrMatcher(load_model(checkpoint), found, checkpoint, budget, precision)


def network_size(height: int, width: int, max_pixels: int) -> tuple[int, int]:
    """Input size of the network, (rows, columns): the nearest multiples of 8 within the pixel budget."""
    shrink = min(1.0, (max_pixels / (height * width)) ** 0.5)
    rows, columns = (max(round(side * shrink / COARSE_STRIDE) * COARSE_STRIDE, MIN_SIDE) for side in (height, width))
    return rows, columns


def _whole_blocks(mask: Mask, rows: int, columns: int) -> Tensor:
    """(1, rows/8, columns/8) bool: cells of the resized image whose original pixels are all used."""
    unused = torch.from_numpy(np.equal(mask, 0))[None].float()
    return F.adaptive_max_pool2d(unused, (rows // COARSE_STRIDE, columns // COARSE_STRIDE)) == 0


def _to_original(points: NDArray[np.float32], scale: tuple[float, float], center: float) -> NDArray[np.float32]:
    """Convert pixels of the resized image to original pixels; each axis has its own scale.

    Resizing keeps the image corner fixed, so points scale about (-0.5, -0.5), with integer coordinates at pixel
    centers.
    """
    corner = np.float32(0.5 - center)
    return (points + corner) * np.array(scale, np.float32) - np.float32(0.5)
