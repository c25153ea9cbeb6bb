"""Inference on a device: images in host memory in, a table of matches out."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.loftr.network.model import FeatureMaps, LoFTR, NetworkMatches
from loftr_ros.loftr.network.precision import rounded_factors
from loftr_ros.loftr.runtime.cuda_graphs import CudaGraphCache

Table = NDArray[np.float32]


class Network:
    """The network on a device.

    Attributes:
        model: the network, prepared for inference.
        device: device of the network.
    """

    def __init__(self, model: LoFTR, device: torch.device, dtype: torch.dtype) -> None:
        """Copy a network to a device; `dtype` is the precision of its backbone."""
        self.model = model.prepare(dtype).to(device)
        self.device = device

    def extract(self, image: Tensor, cells: Tensor | None, rows: int, columns: int) -> FeatureMaps:
        """Resize an image and compute its features.

        Args:
            image: (H, W) uint8, on the host.
            cells: (1, rows/8, columns/8) bool, coarse cells to use; None for all.
            rows, columns: input size of the network, multiples of 8.
        """
        cells = None if cells is None else cells.to(self.device)
        return self.model.extract(_network_image(image.to(self.device), rows, columns), cells)

    def match(self, a: FeatureMaps, b: FeatureMaps, max_matches: int) -> Table:
        """Match two images, each a batch of one.

        Args:
            a, b: features of this network.
            max_matches: see `ComputeBudget`.

        Returns:
            (M, 4): cell of a, x and y in the resized image b, confidence.
        """
        return _table(self.model.match(a, b, max_matches)).cpu().numpy()

    def forget(self) -> None:
        """Free memory that is kept between calls."""


class FastNetwork(Network):
    """GPU path: float16 and fixed shapes only, replayed as CUDA graphs.

    Coarse tokens stay in float32 with TF32 products: their large common component would hide their differences in
    float16.

    Attributes:
        graphs: the CUDA graphs.
    """

    def __init__(self, model: LoFTR, device: torch.device) -> None:
        """Copy a network to a device."""
        super().__init__(model, device, torch.float16)
        self.graphs = CudaGraphCache(device)

    def extract(self, image: Tensor, cells: Tensor | None, rows: int, columns: int) -> FeatureMaps:
        """Compute the features of an image, see `Network.extract`, without synchronizing with the GPU."""
        coarse, fine, *context = self.graphs(self._extract, [self._pinned(image)], rows, columns)
        mask = None if cells is None else self._pinned(cells).to(self.device, non_blocking=True)
        return FeatureMaps(coarse, fine, mask, context[0] if context else None)

    def match(self, a: FeatureMaps, b: FeatureMaps, max_matches: int) -> Table:
        """Match two images, see `Network.match`; the download of the table is the only synchronization.

        Rows with confidence zero are empty. Values that are not finite are overflows of float16.
        """
        tensors = [tensor for maps in (a, b) for tensor in (maps.coarse, maps.fine, maps.mask, maps.context)]
        (table,) = self.graphs(self._match, tensors, max_matches)
        return table.cpu().numpy()

    def forget(self) -> None:
        """Free the CUDA graphs."""
        self.graphs.forget()

    def _pinned(self, tensor: Tensor) -> Tensor:
        """Copy to pinned memory, for an asynchronous upload."""
        return tensor.pin_memory() if self.device.type == "cuda" else tensor

    def _extract(self, image: Tensor, rows: int, columns: int) -> list[Tensor]:
        maps = self.model.extract(_network_image(image, rows, columns))
        return [maps.coarse, maps.fine] if maps.context is None else [maps.coarse, maps.fine, maps.context]

    def _match(self, *tensors_and_limit: Any) -> list[Tensor]:
        """Match the maps of two images: coarse, fine, mask and context of each, then `max_matches`."""
        *tensors, max_matches = tensors_and_limit
        a, b = FeatureMaps(*tensors[:4]), FeatureMaps(*tensors[4:])
        # Only on a GPU (TF32, 10 bits): on a CPU this would round to bfloat16 (7 bits).
        with rounded_factors() if self.device.type == "cuda" else nullcontext():
            return [_table(self.model.match_fixed(a, b, max_matches))]


def _network_image(image: Tensor, rows: int, columns: int) -> Tensor:
    """(H, W) uint8 to (1, 1, rows, columns) in [0, 1]."""
    image = image[None, None].float() / 255
    if image.shape[2:] == (rows, columns):
        return image
    return F.interpolate(image, (rows, columns), mode="bilinear", align_corners=False, antialias=True)


def _table(found: NetworkMatches) -> Tensor:
    """Build the table of `Network.match`; float32 represents all cell indices exactly."""
    columns = found.coarse.cell_a[:, None], found.points_b, found.coarse.confidence[:, None]
    return torch.cat(columns, dim=1)
