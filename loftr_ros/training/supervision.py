"""Ground truth matches of both levels from depth and pose (paper, section 3.5 and supplementary)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from loftr_ros.loftr.network.model import COARSE_STRIDE, cell_points
from loftr_ros.training.data.rendering import pixel_rays

DEPTH_TOLERANCE = 0.05  # relative; a larger difference indicates occlusion


@dataclass(frozen=True)
class TrueMatches:
    """M pairs of coarse cells of a and b that see the same point.

    Attributes:
        batch: (M,) int64, index of the pair.
        cell_a, cell_b: (M,) int64, row-major indices into the coarse grids.
        point_b: (M, 2) float32, projection of the center of cell_a into image b, pixels.
    """

    batch: Tensor
    cell_a: Tensor
    cell_b: Tensor
    point_b: Tensor

    def pick(self, index: Tensor) -> TrueMatches:
        """Return the matches at integer indices."""
        return TrueMatches(self.batch[index], self.cell_a[index], self.cell_b[index], self.point_b[index])


def warp(depth_a: Tensor, depth_b: Tensor, K_a: Tensor, K_b: Tensor, T_b_a: Tensor) -> tuple[Tensor, Tensor]:
    """Project the coarse cells of image a into image b.

    Args:
        depth_a, depth_b: (B, H, W) meters along the optical axis; 0 or not finite where unknown.
        K_a, K_b: (B, 3, 3) camera matrices.
        T_b_a: (B, 4, 4).

    Returns:
        Pixels of image b (B, L, 2), and (B, L) whether the cell has depth, projects into the image and is not occluded.
    """
    batch, height, width = depth_a.shape
    rays = pixel_rays(K_a, height, width).view(batch, height, width, 3)[:, ::COARSE_STRIDE, ::COARSE_STRIDE]
    depth = depth_a[:, ::COARSE_STRIDE, ::COARSE_STRIDE].flatten(1)
    known = depth.isfinite() & (depth > 0)
    points = rays.flatten(1, 2) * torch.where(known, depth, 1.0)[..., None]
    in_b = points @ T_b_a[:, :3, :3].transpose(1, 2) + T_b_a[:, None, :3, 3]
    distance = in_b[..., 2]
    projected = in_b @ K_b.transpose(1, 2)
    pixels = projected[..., :2] / distance.clamp(min=1e-6)[..., None]

    limit = torch.tensor([depth_b.shape[2] - 1, depth_b.shape[1] - 1], device=pixels.device)
    # The image extends half a pixel beyond the outer pixel centers.
    inside = ((pixels >= -0.5) & (pixels <= limit + 0.5)).all(dim=2) & (distance > 1e-3)
    nearest = pixels.clamp(torch.zeros_like(limit), limit).round().long()
    observed = depth_b.flatten(1).gather(1, nearest[..., 1] * depth_b.shape[2] + nearest[..., 0])
    visible = (observed - distance).abs() < DEPTH_TOLERANCE * distance
    return pixels, known & inside & visible


@torch.no_grad()
def true_matches(depth_a: Tensor, depth_b: Tensor, K_a: Tensor, K_b: Tensor, T_b_a: Tensor) -> TrueMatches:
    """Mutual nearest neighbors of the coarse cells under reprojection; arguments as for `warp`."""
    grid_a, grid_b = (tuple(-(-side // COARSE_STRIDE) for side in depth.shape[1:]) for depth in (depth_a, depth_b))
    pixels_b, valid_a = warp(depth_a, depth_b, K_a, K_b, T_b_a)
    pixels_a, valid_b = warp(depth_b, depth_a, K_b, K_a, torch.linalg.inv(T_b_a))
    cell_of_a, cell_of_b = _nearest_cell(pixels_b, grid_b), _nearest_cell(pixels_a, grid_a)
    back = cell_of_b.gather(1, cell_of_a)
    mutual = valid_a & valid_b.gather(1, cell_of_a) & (back == torch.arange(back.shape[1], device=back.device))
    batch, cell_a = torch.where(mutual)
    return TrueMatches(batch, cell_a, cell_of_a[batch, cell_a], pixels_b[batch, cell_a])


def _nearest_cell(pixels: Tensor, grid: tuple[int, ...]) -> Tensor:
    limit = torch.tensor([grid[1] - 1, grid[0] - 1], device=pixels.device)
    cell = (pixels / COARSE_STRIDE).round().long().clamp(torch.zeros_like(limit), limit)
    return cell[..., 1] * grid[1] + cell[..., 0]


def fine_targets(matches: TrueMatches, grid_b: tuple[int, int], window_radius: int) -> Tensor:
    """True position in the window of cell_b: (M, 2); [-1, 1] spans the window."""
    return (matches.point_b - cell_points(matches.cell_b, grid_b)) / window_radius
