"""The training loop: steps, schedule, moving average, checkpoints from which a run continues exactly."""

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
from loftr_ros.loftr.weights.checkpoints import save_model
from loftr_ros.output import make_folder
from loftr_ros.training.config import TrainingConfig
from loftr_ros.training.data.augmentation import photometric
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.sources import open_sources
from loftr_ros.training.data.textures import TextureAtlas, line_atlas, pattern_atlas, photo_atlas
from loftr_ros.training.distributed import ALONE, Workers, synchronize_normalization
from loftr_ros.training.log import RunLog
from loftr_ros.training.state import ResumeError, changes, read_state, replace_file
from loftr_ros.training.step import StepResult, train_step
from loftr_ros.training.validation import validate

GRADIENT_LIMIT = 1.0  # norm
FLOOR = 0.01  # of the learning rate, at the end of the schedule
LINE_TEXTURES = 400  # that are added to the photos


class Trainer:
    """Owns all that changes during training; `run` may be stopped and continued at any step.

    Attributes:
        mixed: whether the network runs in mixed precision.
        step: steps done.
        pairs: pairs seen by all workers.
    """

    def __init__(self, config: TrainingConfig, device: torch.device, workers: Workers = ALONE) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.device = device
        self.workers = workers
        # The published weights count pixels from the corner of the image; the ground truth here does not.
        self.model = LoFTR(replace(preset(config.preset), pixel_center=0.0)).to(device).train()
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
        """Train until the schedule ends, the time is up or somebody interrupts, then save.

        Args:
            output: folder of `state.pt` (to continue), `model.safetensors` (to use), `log.jsonl` and `tensorboard`.
            minutes: of wall-clock time for this call; None for no limit.
            report: called with the figures of every step, by the worker that leads.
            interrupted: asked before every step whether to stop; then the last validation is left out.

        Raises:
            OutputError: the folder cannot be created.
        """
        make_folder(output)
        deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
        log = RunLog(output, self.step) if self.workers.leads else None
        validated = -1
        while self.step < self.config.steps and not self._agreed(interrupted() or time.monotonic() >= deadline):
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

    def _agreed(self, stop: bool) -> bool:
        """Whether any worker wants to stop: all have to do so after the same step."""
        return self.workers.total(int(stop), self.device) > 0

    def advance(self) -> dict[str, Any]:
        """Make one step; returns its figures, of this worker's own pairs."""
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
        else:  # a step with an overflow is skipped, and what it did to the statistics of normalization undone
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
        pairs = self.source.draw(self.draw, batch, (height, width))
        images = photometric(self.draw, torch.cat([pairs.a.image, pairs.b.image]))
        self.pairs += self.workers.total(batch, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed):
            return train_step(self.model, pairs, images, self.draw, self.config.focal_gamma, self.config.fine_matches)

    def _shared(self) -> list[Tensor]:
        """All that the workers must agree on after a step: gradients and running statistics."""
        for value in self.model.parameters():
            if value.grad is None:  # here, but perhaps not with the pairs of another worker
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
        """Write the state to continue from, and the averaged weights to use; old files are replaced at once or not.

        Every worker has to call this, as each has a generator of its own; the one that leads writes.
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
        """Continue from a saved state; the settings are this run's own.

        Returns:
            What is not as it was when the state was saved, in words.

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
            generators = torch.atleast_2d(state["generator"].cpu())  # states of earlier versions hold a single one
            return changes(state["config"], self.config) + self._restore_draw(generators)
        except Exception as error:  # whatever the tensors and their names may be
            raise ResumeError(f"cannot continue from {path}: it is damaged or of another network") from error

    def _restore_draw(self, states: Tensor) -> list[str]:
        """Go on with the same random numbers, where there are as many workers on the same kind of device as before."""
        if states.shape == (self.workers.count, len(self.draw.generator.get_state())):
            # A copy: given a view, torch 2.13 reads from the start of what it is a view of, and crashes.
            self.draw.generator.set_state(states[self.workers.rank].clone())
            return []
        self.draw = Draw(self.config.seed + self.step + self.workers.rank, self.device)
        return ["another number of processes, or another kind of device: other pairs are drawn from here on"]


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then a half cosine down to one hundredth of the peak."""
    warm = min(1.0, (step + 1) / max(config.warmup, 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps)))
    return config.learning_rate * warm * (FLOOR + (1 - FLOOR) * cosine)


def _textures(config: TrainingConfig, device: torch.device) -> TextureAtlas:
    if config.photos:
        photos = photo_atlas(Path(os.path.expandvars(config.photos)))
        lines = line_atlas(Draw(config.seed, torch.device("cpu")), LINE_TEXTURES)
        return TextureAtlas.joined([photos, lines]).to(device)
    return pattern_atlas(Draw(config.seed, device), config.patterns)
