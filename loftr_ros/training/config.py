"""Configuration of a training run, read from YAML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loftr_ros.errors import shortened
from loftr_ros.training.data.source_config import RenderedConfig, SourceConfig, read_sources
from loftr_ros.training.settings import TrainingConfigError, build
from loftr_ros.validation import require


@dataclass(frozen=True)
class TrainingConfig:
    """Configuration of a training run.

    Attributes:
        preset: architecture, see `loftr_ros.loftr.network.config.preset`.
        initial_weights: checkpoint of this architecture to start from, see `loftr_ros.loftr.weights.checkpoints`; empty
            for random weights.
        photos: folder of photos for textures; environment variables are expanded; empty for procedural patterns.
        patterns: number of procedural patterns, used with neither photos nor surfaces.
        surfaces: number of procedural textures of walls, floors, facades, foliage, signs and the like.
        sources: sources of training pairs (default: rendered scenes).
        sizes: image sizes (width, height) in pixels, one drawn per step; sides multiples of 8.
        batch: pairs per step at the first size; scaled to the same number of pixels at other sizes.
        steps: length of the schedule.
        learning_rate: peak after the warm-up, followed by cosine decay to one hundredth.
        warmup: steps of the linear warm-up.
        ramp: part of the schedule in which pairs become harder, up to 1; 0 for the hardest from the start.
        weight_decay: weight decay of AdamW.
        focal_gamma: see `loftr_ros.training.losses.coarse_loss`.
        candidate_weight: weight of the loss of the candidate blocks, for presets that select them.
        fine_weight: weight of the fine loss.
        fine_matches: number of true matches refined per step.
        average: decay of the moving average of the weights that is saved for inference.
        bfloat16: use mixed precision, unless the CPU has no instructions for it and is slower with it.
        seed: random seed.
        save_every, validate_every: steps between saves and validations.
        validation_pairs: number of held-out pairs.
    """

    preset: str = "compact"
    initial_weights: str = ""
    photos: str = ""
    patterns: int = 64
    surfaces: int = 0
    sources: tuple[SourceConfig, ...] = (RenderedConfig(),)
    sizes: tuple[tuple[int, int], ...] = ((256, 192),)
    batch: int = 8
    steps: int = 10_000
    learning_rate: float = 2e-3
    warmup: int = 200
    ramp: float = 0.5
    weight_decay: float = 1e-2
    focal_gamma: float = 2.0
    candidate_weight: float = 0.25
    fine_weight: float = 1.0
    fine_matches: int = 1024
    average: float = 0.998
    bfloat16: bool = True
    seed: int = 0
    save_every: int = 250
    validate_every: int = 1000
    validation_pairs: int = 64

    def __post_init__(self) -> None:
        sides = [side for size in self.sizes for side in size]
        are_sides = bool(sides) and all(side >= 64 and side % 8 == 0 for side in sides)
        self._require(are_sides, "sizes", "sides of at least 64 pixels that are multiples of 8")
        for name in ("batch", "steps", "patterns", "fine_matches", "save_every", "validate_every", "validation_pairs"):
            self._require(getattr(self, name) >= 1, name, "at least 1")
        for name in (
            "surfaces",
            "ramp",
            "learning_rate",
            "warmup",
            "weight_decay",
            "focal_gamma",
            "candidate_weight",
            "fine_weight",
        ):
            self._require(getattr(self, name) >= 0, name, "0 or more")
        self._require(bool(self.sources), "sources", "at least one, for example - kind: rendered")
        self._require(0 <= self.average < 1, "average", "at least 0 and less than 1")

    def _require(self, holds: bool, name: str, wanted: str) -> None:
        require(holds, TrainingConfigError, name, getattr(self, name), wanted)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for files."""
        return asdict(self)


def read_config(path: Path) -> TrainingConfig:
    """Read a YAML file of `TrainingConfig` fields.

    Raises:
        TrainingConfigError: the file is missing, not a YAML mapping, or has an unknown key or an invalid value.
    """
    from loftr_ros import plain_yaml  # imported here: PyYAML is not needed for configurations built in code

    try:
        values = plain_yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, *plain_yaml.ERRORS) as error:
        reason = shortened(error) or type(error).__name__
        raise TrainingConfigError(f"training config {path} cannot be read: {reason}") from error
    if not isinstance(values, dict):
        raise TrainingConfigError(f"training config {path} must be a mapping of settings")
    try:
        return build(TrainingConfig, _converted(values))
    except TrainingConfigError as error:
        raise TrainingConfigError(f"{path}: {error}") from error


def _converted(values: dict[Any, Any]) -> dict[Any, Any]:
    """Convert YAML lists to the types of the fields."""
    converters = {"sizes": _read_sizes, "sources": read_sources}
    return {name: converters[name](value) if name in converters else value for name, value in values.items()}


def _read_sizes(value: Any) -> tuple[tuple[int, int], ...]:
    try:
        return tuple((int(width), int(height)) for width, height in value)
    except (TypeError, ValueError) as error:
        raise TrainingConfigError(f"sizes is {shortened(repr(value))}: it must be a list of [width, height]") from error
