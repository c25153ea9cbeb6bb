"""The training loop: steps, schedule, moving average, checkpoints from which a run continues exactly."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.checkpoints import save_model
from loftr_ros.loftr.config import preset
from loftr_ros.loftr.model import LoFTR
from loftr_ros.training.augmentation import photometric
from loftr_ros.training.config import TrainingConfig
from loftr_ros.training.random import Draw
from loftr_ros.training.scenes import random_pairs
from loftr_ros.training.step import StepResult, train_step
from loftr_ros.training.textures import TextureAtlas, pattern_atlas, photo_atlas
from loftr_ros.training.validation import validate

GRADIENT_LIMIT = 1.0  # norm
FLOOR = 0.01  # of the learning rate, at the end of the schedule


class ResumeError(LoftrRosError):
    """A training state that cannot be continued."""


class OutputError(LoftrRosError):
    """A folder that cannot be written to."""


class Trainer:
    """Owns all that changes during training; `run` may be stopped and continued at any step.

    Attributes:
        step: steps done.
    """

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.device = device
        self.model = LoFTR(preset(config.preset)).to(device).train()
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(config.average), use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.draw = Draw(config.seed, device)
        self.atlas = _textures(config, device)
        self.step = 0
        self.seconds = 0.0
        self.pairs = 0

    def run(self, output: Path, minutes: float | None, report: Callable[[dict[str, Any]], None]) -> None:
        """Train until the schedule ends or the time is up, then save.

        Args:
            output: folder of `state.pt` (to continue), `model.safetensors` (to use) and `log.jsonl`.
            minutes: of wall-clock time for this call; None for no limit.
            report: called with the figures of every step.

        Raises:
            OutputError: the folder cannot be made.
        """
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"the output folder {output} cannot be made: {error.strerror}") from error
        deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
        while self.step < self.config.steps and time.monotonic() < deadline:
            report(self.advance())
            if self.step % self.config.validate_every == 0:
                self._log(output, self.evaluate())
            if self.step % self.config.save_every == 0:
                self.save(output)
        self.save(output)
        self._log(output, self.evaluate())

    def advance(self) -> dict[str, Any]:
        """Make one step; returns its figures."""
        start = time.monotonic()
        rate = learning_rate(self.config, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        result = self._losses()
        self.optimizer.zero_grad(set_to_none=True)
        (result.coarse + self.config.fine_weight * result.fine).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_LIMIT)
        if norm.isfinite():  # a step with an overflow is skipped, not applied
            self.optimizer.step()
            self.average.update_parameters(self.model)
        self.step += 1
        self.seconds += time.monotonic() - start
        return {
            "step": self.step,
            "coarse_loss": result.coarse.item(),
            "fine_loss": result.fine.item(),
            "confidence": float(result.confidence),
            "fine_error_px": float(result.fine_error),
            "true_matches": result.matches,
            "learning_rate": rate,
            "pairs_per_second": self.pairs / self.seconds,
        }

    def _losses(self) -> StepResult:
        width, height = self.config.sizes[int(self.draw.integers(len(self.config.sizes), 1))]
        first_width, first_height = self.config.sizes[0]
        batch = max(1, round(self.config.batch * first_width * first_height / (width * height)))
        pairs = random_pairs(self.draw, self.atlas, batch, (height, width))
        images = photometric(self.draw, torch.cat([pairs.a.image, pairs.b.image]))
        self.pairs += batch
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bfloat16):
            return train_step(self.model, pairs, images, self.draw, self.config.focal_gamma, self.config.fine_matches)

    def evaluate(self) -> dict[str, Any]:
        """Validate the averaged weights."""
        averaged: LoFTR = self.average.module  # type: ignore[assignment]
        averaged.eval()
        figures = validate(averaged, self.atlas, self.device, self.config.validation_pairs)
        return {"step": self.step, "pairs": self.pairs, "hours": self.seconds / 3600, **figures.to_dict()}

    def save(self, output: Path) -> None:
        """Write the state to continue from, and the averaged weights to use; old files are replaced at once or not."""
        state = {
            "config": self.config.to_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "pairs": self.pairs,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.draw.generator.get_state(),
        }
        averaged: LoFTR = self.average.module  # type: ignore[assignment]
        counts = {"steps": str(self.step), "pairs": str(self.pairs)}
        _replace(output / "state.pt", lambda path: torch.save(state, path))
        _replace(output / "model.safetensors", lambda path: save_model(path, averaged, counts))

    def resume(self, path: Path) -> None:
        """Continue from a saved state; the schedule is this run's own.

        Raises:
            ResumeError: the file is damaged or of another network.
        """
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.draw.generator.set_state(state["generator"].cpu())
            self.step, self.seconds, self.pairs = state["step"], state["seconds"], state["pairs"]
        except Exception as error:  # a damaged pickle ends in nearly any exception
            raise ResumeError(f"cannot continue from {path}: it is missing, damaged or of another network") from error

    @staticmethod
    def _log(output: Path, figures: dict[str, Any]) -> None:
        with (output / "log.jsonl").open("a") as file:
            file.write(json.dumps(figures) + "\n")


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under another name first, so that a crash leaves the old one whole."""
    partial = path.with_name(path.name + ".partial")
    write(partial)
    partial.replace(path)


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then a half cosine down to one hundredth of the peak."""
    warm = min(1.0, (step + 1) / max(config.warmup, 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps)))
    return config.learning_rate * warm * (FLOOR + (1 - FLOOR) * cosine)


def _textures(config: TrainingConfig, device: torch.device) -> TextureAtlas:
    if config.photos:
        return photo_atlas(Path(os.path.expandvars(config.photos))).to(device)
    return pattern_atlas(Draw(config.seed, device), config.patterns)
