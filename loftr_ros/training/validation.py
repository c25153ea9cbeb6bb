"""Validation of matches on held-out rendered scenes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.training.data.augmentation import photometric
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.scenes import random_pairs
from loftr_ros.training.data.textures import TextureAtlas
from loftr_ros.training.supervision import warp

HELD_OUT_SEED = 1_000_003
BATCH, SIZE = 8, (256, 320)


@dataclass(frozen=True)
class Validation:
    """Metrics over the held-out pairs.

    Attributes:
        matches: mean number of matches with ground truth per pair.
        recall: fraction of the visible cells of a that are matched within 8 pixels.
        precision: fraction of the matches within 4 pixels of the ground truth.
        error: median error of the matches within 8 pixels, pixels.
    """

    matches: float
    recall: float
    precision: float
    error: float

    def to_dict(self) -> dict[str, float]:
        """Return plain values, for logs."""
        return asdict(self)


@torch.no_grad()
def validate(model: LoFTR, atlas: TextureAtlas, device: torch.device, pairs: int) -> Validation:
    """Match held-out pairs, rendered with a separate seed; the model must be in evaluation mode.

    The number of pairs is rounded up to whole batches.
    """
    draw = Draw(HELD_OUT_SEED, device)
    distances, visible = [], 0
    batches = -(-pairs // BATCH)
    for _ in range(batches):
        views = random_pairs(draw, atlas, BATCH, SIZE)
        found = model(photometric(draw, views.a.image), photometric(draw, views.b.image))
        truth, valid = warp(*views.geometry)
        batch, cell = found.coarse.batch, found.coarse.cell_a
        distances.append((found.points_b - truth[batch, cell]).norm(dim=1)[valid[batch, cell]])
        visible += int(valid.sum())
    distance = torch.cat(distances)
    close = distance[distance < 8]
    return Validation(
        matches=len(distance) / (batches * BATCH),
        recall=len(close) / max(visible, 1),
        precision=float((distance < 4).float().mean()) if len(distance) else 0.0,
        error=float(close.median()) if len(close) else float("nan"),
    )
