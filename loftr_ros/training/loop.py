"""Training loop: steps, learning rate schedule, moving average, exactly resumable checkpoints."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.network.precision import has_fast_bfloat16
from loftr_ros.loftr.weights.checkpoints import load_model, save_model
from loftr_ros.loftr.weights.state_dict import differences
from loftr_ros.output import make_folder
from loftr_ros.training.config import TrainingConfig
from loftr_ros.training.data.augmentation import photometric
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.sources import open_sources
from loftr_ros.training.data.textures import TextureAtlas, line_atlas, pattern_atlas, photo_atlas, surface_atlas
from loftr_ros.training.distributed import ALONE, Workers, synchronize_normalization
from loftr_ros.training.log import RunLog
from loftr_ros.training.settings import TrainingConfigError
from loftr_ros.training.state import ResumeError, changes, read_state, replace_file
from loftr_ros.training.step import StepResult, train_step
from loftr_ros.training.validation import validate

GRADIENT_LIMIT = 1.0  # norm
FINAL_RATE = 0.01  # of the peak learning rate, at the end of the schedule
LINE_TEXTURES = 400  # added to the photos


class Trainer:
    """State of a training run; `run` can be stopped and continued at any step.

    Attributes:
        mixed: whether the network runs in mixed precision.
        step: number of completed steps.
        pairs: number of pairs processed by all workers.
    """

    def __init__(self, config: TrainingConfig, device: torch.device, workers: Workers = ALONE) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.device = device
        self.workers = workers
        self.model = _initial_model(config).to(device).train()
        synchronize_normalization(self.model, workers, device)
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(config.average), use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.draw = Draw(config.seed + workers.rank, device)
        self.atlas = _textures(config, device)
        self.source = open_sources(config.sources, self.atlas)
        # Without instructions for it, bfloat16 is slower than float32 by a multiple.
        self.mixed = config.bfloat16 and (device.type != "cpu" or has_fast_bfloat16())
        self.step = 0
        self.seconds = 0.0
        self.pairs = 0

    def run(
        self,
        output: Path,
        minutes: float | None,
        report: Callable[[dict[str, Any]], None],
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train until the end of the schedule, the time limit or an interruption, then save.

        Args:
            output: folder of `state.pt` (to resume), `model.safetensors` (for inference), `log.jsonl`, `tensorboard`.
            minutes: time limit of this call; None for none.
            report: called with the figures of each step, on rank 0.
            interrupted: polled before each step; if True, training stops without the final validation.

        Raises:
            OutputError: the folder cannot be created.
        """
        make_folder(output)
        log = RunLog(output, self.step) if self.workers.leads else None  # loads TensorBoard, which takes seconds
        deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
        validated = -1
        while self.step < self.config.steps and not self._any_worker(interrupted() or time.monotonic() >= deadline):
            figures = self.advance()
            if log:
                report(figures)
                log.step(figures)
            if log and self.step % self.config.validate_every == 0:
                log.validation(self.evaluate())
                validated = self.step
            if self.step % self.config.save_every == 0:
                self.save(output)
        self.save(output)
        if log:
            if validated != self.step and not interrupted():
                log.validation(self.evaluate())
            log.close()

    def _any_worker(self, stop: bool) -> bool:
        """Whether any worker requests to stop, so that all stop after the same step."""
        return self.workers.total(int(stop), self.device) > 0

    def advance(self) -> dict[str, Any]:
        """Make one step; return the figures of this worker's pairs."""
        start = time.monotonic()
        rate = learning_rate(self.config, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        statistics = [buffer.clone() for buffer in self.model.buffers()]
        result = self._losses()
        self.optimizer.zero_grad(set_to_none=True)
        weighted = self.config.candidate_weight * result.candidate + self.config.fine_weight * result.fine
        (result.coarse + weighted).backward()
        self.workers.average(self._shared())
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_LIMIT)
        # The only transfer of a step from the device.
        coarse, candidate, fine, confidence, error, gradient = torch.stack(
            [
                value.detach().float()
                for value in (result.coarse, result.candidate, result.fine, result.confidence, result.fine_error, norm)
            ]
        ).tolist()
        if math.isfinite(gradient):
            self.optimizer.step()
            self.average.update_parameters(self.model)
        else:  # overflow: skip the step and restore the statistics of batch normalization
            for buffer, before in zip(self.model.buffers(), statistics, strict=True):
                buffer.copy_(before)
        self.step += 1
        self.seconds += time.monotonic() - start
        return {
            "step": self.step,
            "coarse_loss": coarse,
            "candidate_loss": candidate,
            "fine_loss": fine,
            "confidence": confidence,
            "fine_error_px": error,
            "true_matches": result.matches,
            "learning_rate": rate,
            "pairs_per_second": self.pairs / self.seconds,
        }

    def _losses(self) -> StepResult:
        width, height = self.config.sizes[int(self.draw.integers(len(self.config.sizes), 1))]
        first_width, first_height = self.config.sizes[0]
        batch = max(1, round(self.config.batch * first_width * first_height / (width * height)))
        hard = difficulty(self.config, self.step)
        pairs = self.source.draw(self.draw, batch, (height, width), hard)
        images = photometric(self.draw, torch.cat([pairs.a.image, pairs.b.image]), hard)
        self.pairs += self.workers.total(batch, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed):
            return train_step(self.model, pairs, images, self.draw, self.config.focal_gamma, self.config.fine_matches)

    def _shared(self) -> list[Tensor]:
        """Tensors averaged over the workers after a step: gradients and running statistics."""
        for value in self.model.parameters():
            if value.grad is None:  # unused by these pairs, but perhaps used by another worker
                value.grad = torch.zeros_like(value)
        gradients = [value.grad for value in self.model.parameters() if value.grad is not None]
        return gradients + [buffer for buffer in self.model.buffers() if buffer.is_floating_point()]

    def evaluate(self) -> dict[str, Any]:
        """Validate the averaged weights."""
        averaged: LoFTR = self.average.module  # type: ignore[assignment]
        averaged.eval()
        figures = validate(averaged, self.atlas, self.device, self.config.validation_pairs)
        return {"step": self.step, "pairs": self.pairs, "hours": self.seconds / 3600, **figures.to_dict()}

    def save(self, output: Path) -> None:
        """Write the state to resume from and the averaged weights for inference, each atomically.

        All workers must call this, as the state includes their random generators; rank 0 writes.
        """
        generators = self.workers.gather(self.draw.generator.get_state())
        if not self.workers.leads:
            return
        state = {
            "config": self.config.to_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "pairs": self.pairs,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": generators,
        }
        averaged: LoFTR = self.average.module  # type: ignore[assignment]
        counts = {"steps": str(self.step), "pairs": str(self.pairs)}
        replace_file(output / "state.pt", lambda path: torch.save(state, path))
        replace_file(output / "model.safetensors", lambda path: save_model(path, averaged, counts))

    def resume(self, path: Path) -> list[str]:
        """Continue from a saved state with the settings of this run.

        Returns:
            Descriptions of the changes since the state was saved.

        Raises:
            ResumeError: the file is damaged or of another network.
        """
        state = read_state(path, self.config, self.device)
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            for group in self.optimizer.param_groups:
                group["weight_decay"] = self.config.weight_decay
            self.step, self.seconds, self.pairs = state["step"], state["seconds"], state["pairs"]
            generators = torch.atleast_2d(
                state["generator"].cpu()
            )  # states of earlier versions have a single generator
            return changes(state["config"], self.config) + self._restore_draw(generators)
        except Exception as error:  # any mismatch of tensors and names
            raise ResumeError(f"cannot continue from {path}: it is damaged or of another network") from error

    def _restore_draw(self, states: Tensor) -> list[str]:
        """Restore the random generator if the number of workers and the type of device are the same."""
        if states.shape == (self.workers.count, len(self.draw.generator.get_state())):
            # A copy, because torch 2.13 ignores the offset of a view and crashes.
            self.draw.generator.set_state(states[self.workers.rank].clone())
            return []
        self.draw = Draw(self.config.seed + self.step + self.workers.rank, self.device)
        return ["another number of processes or type of device: different pairs are drawn from here on"]


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then cosine decay to `FINAL_RATE` of the peak."""
    warm = min(1.0, (step + 1) / max(config.warmup, 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps)))
    return config.learning_rate * warm * (FINAL_RATE + (1 - FINAL_RATE) * cosine)


def difficulty(config: TrainingConfig, step: int) -> float:
    """Linear from 0 to 1 over the first part of the schedule."""
    return min(1.0, step / (config.ramp * config.steps)) if config.ramp else 1.0


def _initial_model(config: TrainingConfig) -> LoFTR:
    # The ground truth has integer coordinates at pixel centers, unlike the published presets.
    model = LoFTR(replace(preset(config.preset), pixel_center=0.0))
    if config.initial_weights:
        state = load_model(config.initial_weights).state_dict()
        if differences(model.state_dict(), state):
            raise TrainingConfigError(
                f"initial_weights {config.initial_weights} are of another architecture than preset {config.preset}"
            )
        model.load_state_dict(state)
    return model


def _textures(config: TrainingConfig, device: torch.device) -> TextureAtlas:
    cpu = torch.device("cpu")
    atlases = []
    if config.photos:
        atlases.append(photo_atlas(Path(os.path.expandvars(config.photos))))
        atlases.append(line_atlas(Draw(config.seed, cpu), LINE_TEXTURES))
    if config.surfaces:
        atlases.append(surface_atlas(Draw(config.seed + 1, cpu), config.surfaces))
    if not atlases:
        return pattern_atlas(Draw(config.seed, device), config.patterns)
    return TextureAtlas.joined(atlases).to(device)
