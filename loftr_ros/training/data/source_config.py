"""Configuration of the training data: the entries of `sources` in the YAML file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loftr_ros.errors import shortened
from loftr_ros.training.settings import TrainingConfigError, build
from loftr_ros.validation import require


@dataclass(frozen=True)
class SourceConfig:
    """Common settings of all sources.

    Attributes:
        kind: kind of source.
        weight: sampling weight relative to the other sources.
    """

    kind: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        require(self.weight > 0, TrainingConfigError, "weight", self.weight, "above 0")


@dataclass(frozen=True)
class RenderedConfig(SourceConfig):
    """Rooms and streets, rendered with the textures of the run."""

    kind: str = "rendered"


@dataclass(frozen=True)
class WorldConfig(SourceConfig):
    """Corridors, stairs, aisles, streets and open ground, whose pairs become harder in the course of the training."""

    kind: str = "world"


@dataclass(frozen=True)
class HomographyConfig(SourceConfig):
    """Planar pictures with the textures of the run, warped by homographies."""

    kind: str = "homographies"


@dataclass(frozen=True)
class RecordedConfig(SourceConfig):
    """A recorded RGB-D sequence with ground truth, such as one of the TUM RGB-D benchmark.

    Attributes:
        folder: the sequence; environment variables are expanded.
        max_gap: maximum frame distance of a pair.
    """

    kind: str = "sequence"
    folder: str = ""
    max_gap: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.folder or self.max_gap < 1:
            raise TrainingConfigError("a sequence needs its folder, and a max_gap of at least 1")


@dataclass(frozen=True)
class MegaDepthConfig(SourceConfig):
    """MegaDepth as prepared for the training of LoFTR.

    Attributes:
        images: folder that holds `Undistorted_SfM` and `phoenix`; environment variables are expanded.
        index: folder of the `.npz` files of the scenes.
        scenes: text file with one scene name per line, to exclude test scenes; empty for all.
        min_overlap, max_overlap: range of the overlap score of pairs.
    """

    kind: str = "megadepth"
    images: str = ""
    index: str = ""
    scenes: str = ""
    min_overlap: float = 0.1
    max_overlap: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.images or not self.index:
            raise TrainingConfigError("megadepth needs the folders images and index")


KINDS = {
    entry.kind: entry for entry in (RenderedConfig, WorldConfig, HomographyConfig, RecordedConfig, MegaDepthConfig)
}


def read_sources(entries: Any) -> tuple[SourceConfig, ...]:
    """Parse the list of sources of a YAML file. Raises TrainingConfigError."""
    is_list = isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
    wanted = f"a list of mappings, each with a kind: {', '.join(KINDS)}"
    require(is_list, TrainingConfigError, "sources", entries, wanted)
    return tuple(_read_source(number, entry) for number, entry in enumerate(entries, start=1))


def _read_source(number: int, entry: dict[Any, Any]) -> SourceConfig:
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise TrainingConfigError(
            f"source {number}: unknown kind {shortened(repr(kind), 60)}; known: {', '.join(KINDS)}"
        )
    try:
        return build(KINDS[kind], entry)
    except TrainingConfigError as error:
        raise TrainingConfigError(f"source {number} ({kind}): {error}") from error
