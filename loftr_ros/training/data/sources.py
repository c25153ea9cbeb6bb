"""Sources of training pairs, and their mixture."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from loftr_ros.training.data.homographies import Homographies
from loftr_ros.training.data.megadepth import MegaDepth
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.recorded_pairs import RecordedPairs
from loftr_ros.training.data.scenes import ViewPair, random_pairs
from loftr_ros.training.data.source_config import (
    HomographyConfig,
    MegaDepthConfig,
    RecordedConfig,
    SourceConfig,
    WorldConfig,
)
from loftr_ros.training.data.textures import TextureAtlas
from loftr_ros.training.data.world import world_pairs


class PairSource(Protocol):
    """A source of image pairs with depth and pose."""

    def draw(self, draw: Draw, batch: int, size: tuple[int, int], difficulty: float = 1.0) -> ViewPair:
        """Make a batch of pairs of a size (height, width) on the device of `draw`, the only source of randomness.

        `difficulty` in [0, 1] says how hard they are, where a source has a choice.
        """
        ...


@dataclass(frozen=True)
class RenderedScenes:
    """Rooms and streets, see `loftr_ros.training.data.scenes`."""

    atlas: TextureAtlas

    def draw(self, draw: Draw, batch: int, size: tuple[int, int], difficulty: float = 1.0) -> ViewPair:
        """Render new scenes, of the same difficulty always."""
        del difficulty
        return random_pairs(draw, self.atlas, batch, size)


@dataclass(frozen=True)
class WorldScenes:
    """Corridors, stairs, aisles, streets and open ground, see `loftr_ros.training.data.world`."""

    atlas: TextureAtlas

    def draw(self, draw: Draw, batch: int, size: tuple[int, int], difficulty: float = 1.0) -> ViewPair:
        """Render new scenes."""
        return world_pairs(draw, self.atlas, batch, size, difficulty)


@dataclass(frozen=True)
class Mixture:
    """Several sources, one of which is drawn for each batch.

    Attributes:
        sources: at least one.
        weights: relative sampling weights.
    """

    sources: tuple[PairSource, ...]
    weights: tuple[float, ...]

    def draw(self, draw: Draw, batch: int, size: tuple[int, int], difficulty: float = 1.0) -> ViewPair:
        """Draw a source, then pairs from it."""
        limits = list(accumulate(self.weights))
        place = float(draw.uniform(0, limits[-1], 1))
        source = self.sources[bisect(limits, place, hi=len(limits) - 1)]
        return source.draw(draw, batch, size, difficulty)


def open_sources(configs: Sequence[SourceConfig], atlas: TextureAtlas) -> PairSource:
    """Open all sources of a run; rendered ones use the textures of `atlas`.

    Raises:
        LoftrRosError: files are missing or cannot be used; the type depends on the source.
    """
    sources = tuple(_open(config, atlas) for config in configs)
    return sources[0] if len(sources) == 1 else Mixture(sources, tuple(config.weight for config in configs))


def _open(config: SourceConfig, atlas: TextureAtlas) -> PairSource:
    if isinstance(config, RecordedConfig):
        return RecordedPairs.open(config)
    if isinstance(config, MegaDepthConfig):
        return MegaDepth.open(config)
    if isinstance(config, WorldConfig):
        return WorldScenes(atlas)
    return Homographies(atlas) if isinstance(config, HomographyConfig) else RenderedScenes(atlas)
