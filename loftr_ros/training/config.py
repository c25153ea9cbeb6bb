"""The configuration of a training run, read from YAML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loftr_ros.training.data.source_config import RenderedConfig, SourceConfig, read_sources
from loftr_ros.training.settings import TrainingConfigError, build


@dataclass(frozen=True)
class TrainingConfig:
    """One training run.

    Attributes:
        preset: architecture, a name known to `loftr_ros.loftr.network.config.preset`.
        photos: folder of photos for textures; environment variables are expanded; empty for made patterns.
        patterns: number of made patterns, used when there are no photos.
        sources: where pairs come from; rendered scenes where none is given.
        sizes: image sizes (width, height) in pixels, one drawn for every step; sides multiples of 8.
        batch: pairs in a step at the first size; other sizes get as many as give the same number of pixels.
        steps: length of the schedule.
        learning_rate: peak, after the warm-up; then a half cosine down to one hundredth.
        warmup: steps of linear growth.
        weight_decay: of AdamW.
        focal_gamma: see `loftr_ros.training.losses.coarse_loss`.
        candidate_weight: factor of the loss of the candidate blocks, for presets that select them.
        fine_weight: factor of the fine loss.
        fine_matches: true matches refined in a step.
        average: decay of the moving average of the weights that is saved for inference.
        bfloat16: run the network in mixed precision; not on a CPU without instructions for it, where that is slower.
        seed: of everything random.
        save_every, validate_every: steps.
        validation_pairs: held-out pairs of a validation.
    """

    preset: str = "compact"
    photos: str = ""
    patterns: int = 64
    sources: tuple[SourceConfig, ...] = (RenderedConfig(),)
    sizes: tuple[tuple[int, int], ...] = ((256, 192),)
    batch: int = 8
    steps: int = 10_000
    learning_rate: float = 2e-3
    warmup: int = 200
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
        if any(side % 8 or side < 64 for size in self.sizes for side in size) or not self.sizes:
            raise TrainingConfigError("sizes: every side must be a multiple of 8 and at least 64 pixels")
        for name in ("batch", "steps", "patterns", "fine_matches", "save_every", "validate_every", "validation_pairs"):
            if getattr(self, name) < 1:
                raise TrainingConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("learning_rate", "warmup", "weight_decay", "focal_gamma", "candidate_weight", "fine_weight"):
            if getattr(self, name) < 0:
                raise TrainingConfigError(f"{name} must not be negative, but is {getattr(self, name)}")
        if not self.sources:
            raise TrainingConfigError("sources must name one at least, for example - kind: rendered")
        if not 0 <= self.average < 1:
            raise TrainingConfigError(f"average must be at least 0 and less than 1, not {self.average}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for files."""
        return asdict(self)


def read_config(path: Path) -> TrainingConfig:
    """Read a YAML file of `TrainingConfig` fields.

    Raises:
        TrainingConfigError: the file is missing, no YAML mapping, or has an unknown key or a bad value.
    """
    import yaml  # not at the top: a program that builds its configuration itself does without PyYAML

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainingConfigError(f"training config {path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise TrainingConfigError(f"training config {path} must be a mapping of settings")
    try:
        return build(TrainingConfig, _converted(values))
    except TrainingConfigError as error:
        raise TrainingConfigError(f"{path}: {error}") from error


def _converted(values: dict[Any, Any]) -> dict[Any, Any]:
    """Turn the lists of YAML into what the fields hold."""
    converters = {"sizes": _read_sizes, "sources": read_sources}
    return {name: converters[name](value) if name in converters else value for name, value in values.items()}


def _read_sizes(value: Any) -> tuple[tuple[int, int], ...]:
    try:
        return tuple((int(width), int(height)) for width, height in value)
    except (TypeError, ValueError) as error:
        raise TrainingConfigError(f"sizes must be a list of [width, height], not {value!r}") from error
