"""The network on its device: images from the processor's memory in, one table of matches out."""

from __future__ import annotations

from contextlib import nullcontext

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
    """A network prepared for a device.

    Attributes:
        model: the prepared network.
        device: where it runs.
    """

    def __init__(self, model: LoFTR, device: torch.device, dtype: torch.dtype) -> None:
        """Copy a network to a device; `dtype` is that of its features."""
        self.model = model.prepare(dtype).to(device)
        self.device = device

    def extract(self, image: Tensor, cells: Tensor | None, rows: int, columns: int) -> FeatureMaps:
        """Compute the features of an image at another size.

        Args:
            image: (H, W) uint8, on the processor.
            cells: (1, rows/8, columns/8) bool, coarse cells to use; None for all.
            rows, columns: size for the network, multiples of 8.
        """
        cells = None if cells is None else cells.to(self.device)
        return self.model.extract(_network_image(image.to(self.device), rows, columns), cells)

    def match(self, a: FeatureMaps, b: FeatureMaps, max_matches: int) -> Table:
        """Match two images, each a batch of one.

        Args:
            a, b: features of this network.
            max_matches: see `ComputeBudget`.

        Returns:
            (M, 4): cell of a, x and y in the network's image b, confidence.
        """
        return _table(self.model.match(a, b, max_matches)).cpu().numpy()

    def forget(self) -> None:
        """Free what is kept from call to call."""


class FastNetwork(Network):
    """The same for GPUs: float16, and nothing but fixed shapes, which are recorded and replayed.

    Coarse tokens stay in float32, and their products round to ten bits (TF32), as those of float16 do: the tokens have
    more in common than float16 could tell from their differences.

    Attributes:
        graphs: the recorded CUDA graphs.
    """

    def __init__(self, model: LoFTR, device: torch.device) -> None:
        """Copy a network to a device."""
        super().__init__(model, device, torch.float16)
        self.graphs = CudaGraphCache(device)

    def extract(self, image: Tensor, cells: Tensor | None, rows: int, columns: int) -> FeatureMaps:
        """Compute the features of an image, see `Network.extract`; nothing waits for the GPU."""
        coarse, fine = self.graphs(self._extract, [self._pinned(image)], rows, columns)
        mask = None if cells is None else self._pinned(cells).to(self.device, non_blocking=True)
        return FeatureMaps(coarse, fine, mask)

    def match(self, a: FeatureMaps, b: FeatureMaps, max_matches: int) -> Table:
        """Match two images, see `Network.match`; all waiting for the GPU is for the one table.

        Rows with confidence zero hold no match. What is no finite number is a number that float16 cannot hold.
        """
        (table,) = self.graphs(self._match, [a.coarse, a.fine, a.mask, b.coarse, b.fine, b.mask], max_matches)
        return table.cpu().numpy()

    def forget(self) -> None:
        """Free the recordings."""
        self.graphs.forget()

    def _pinned(self, tensor: Tensor) -> Tensor:
        """Copy to where the GPU can fetch it by itself, when it comes to it."""
        return tensor.pin_memory() if self.device.type == "cuda" else tensor

    def _extract(self, image: Tensor, rows: int, columns: int) -> list[Tensor]:
        maps = self.model.extract(_network_image(image, rows, columns))
        return [maps.coarse, maps.fine]

    def _match(
        self,
        coarse_a: Tensor,
        fine_a: Tensor,
        mask_a: Tensor | None,
        coarse_b: Tensor,
        fine_b: Tensor,
        mask_b: Tensor | None,
        max_matches: int,
    ) -> list[Tensor]:
        a, b = FeatureMaps(coarse_a, fine_a, mask_a), FeatureMaps(coarse_b, fine_b, mask_b)
        # On a processor this would round to eight bits.
        with rounded_factors() if self.device.type == "cuda" else nullcontext():
            return [_table(self.model.match_fixed(a, b, max_matches))]


def _network_image(image: Tensor, rows: int, columns: int) -> Tensor:
    """(H, W) uint8 to (1, 1, rows, columns) in [0, 1]."""
    image = image[None, None].float() / 255
    if image.shape[2:] == (rows, columns):
        return image
    return F.interpolate(image, (rows, columns), mode="bilinear", align_corners=False, antialias=True)


def _table(found: NetworkMatches) -> Tensor:
    """See `Network.match`; float32 holds every index of a cell."""
    columns = found.coarse.cell_a[:, None], found.points_b, found.coarse.confidence[:, None]
    return torch.cat(columns, dim=1)
