#!/usr/bin/env python3
"""Fine-tune the embedded checkpoint for some minutes: throughput, and validation before and after.

Saved every minute in the output folder: `state.pt` to continue from, `model.safetensors` for inference, `minutes.jsonl`
with the throughput by minute, `log.jsonl` with the validations.

python bench/gpu_training.py --minutes 4 --output out/train
python bench/gpu_training.py --minutes 4 --output out/more --resume out/train/state.pt
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from loftr_ros.commands.arguments import positive
from loftr_ros.errors import LoftrRosError
from loftr_ros.interruption import Interruption
from loftr_ros.loftr.runtime.device import find_device
from loftr_ros.training.config import TrainingConfig
from loftr_ros.training.loop import Trainer
from loftr_ros.training.state import replace_file

# As in config/train_compact.yaml, with a learning rate for fine-tuning and a schedule so long that it stays constant.
_SIZES = ((320, 256), (256, 192), (448, 320), (640, 192), (640, 480))
_CONFIG = TrainingConfig(
    initial_weights="compact",
    sizes=_SIZES,
    steps=1_000_000,
    learning_rate=3e-4,
    seed=int(time.time()),  # new scenes in every run
    patterns=256,
    save_every=1_000_000,
    validate_every=1_000_000,
)
_SMALL = replace(_CONFIG, sizes=((128, 96),), batch=2, patterns=16, validation_pairs=8, warmup=10)
_MAX_BATCH, _GIB_PER_PAIR = 32, 2.0  # generous at 640 x 480
_SAVE_S, _MIN_TRAINING_S = 3.0, 1.0  # reserved for saving; at least one step
_VALIDATED = ("recall", "precision", "error")


def main(argv: Sequence[str]) -> int:
    """Train and write. Returns 0, or 2 for a user error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--minutes", type=positive, default=4.0, metavar="N", help="total time (default: 4)")
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of photos for textures (default: patterns)")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="state.pt of an earlier run to continue")
    parser.add_argument("--save-every", type=positive, default=60.0, metavar="S", help="seconds (default: 60)")
    parser.add_argument("--small", action="store_true", help="small images and batches, for a CPU")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    args = parser.parse_args(argv)
    end = time.monotonic() + 60 * args.minutes
    torch.set_flush_denormal(True)
    try:
        with Interruption() as interruption:
            _run(args, end, interruption)
    except LoftrRosError as error:
        print(f"gpu_training.py: error: {error}", file=sys.stderr)
        return 2
    finally:
        torch.set_flush_denormal(False)
    return 0


def _run(args: argparse.Namespace, end: float, interruption: Interruption) -> None:
    device = find_device(args.device)
    config = _SMALL if args.small else replace(_CONFIG, batch=_batch(device))
    trainer = _Trainer(replace(config, photos=str(args.images or "")), device)
    args.output.mkdir(parents=True, exist_ok=True)
    if args.resume:
        trainer.resume(args.resume)
    start = time.monotonic()
    trainer.evaluate()
    record = _Record(trainer, args.output, args.save_every)
    spare = 1.5 * (time.monotonic() - start) + _SAVE_S  # for the final validation
    while True:
        try:
            minutes = max(end - spare - time.monotonic(), _MIN_TRAINING_S) / 60
            trainer.run(args.output, minutes, record.step, lambda: interruption.signal != 0)
            break
        except torch.cuda.OutOfMemoryError:
            if trainer.config.batch == 1:
                raise
        torch.cuda.empty_cache()
        trainer.config = replace(trainer.config, batch=trainer.config.batch // 2)
        print(f"out of memory: continuing with batches of {trainer.config.batch}", flush=True)
    record.note({})
    print(record.text())


class _Trainer(Trainer):
    """A trainer that keeps its validations; the first is that of the initial weights."""

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.validations: list[dict[str, Any]] = []

    def evaluate(self) -> dict[str, Any]:
        self.validations.append(super().evaluate())
        return self.validations[-1]


class _Record:
    """Progress of the training, written to files."""

    def __init__(self, trainer: _Trainer, output: Path, every: float) -> None:
        self._trainer, self._output, self._every = trainer, output, every
        self._start = self._written = time.monotonic()
        self._pairs, self._first_pairs = trainer.pairs, trainer.pairs
        self._write({})

    def step(self, figures: dict[str, Any]) -> None:
        """Save if `every` seconds have passed."""
        if time.monotonic() - self._written >= self._every:
            self._trainer.save(self._output)
            self.note(figures)

    def note(self, figures: dict[str, Any]) -> None:
        """Append a line with the progress and the figures of the last step."""
        now, pairs = time.monotonic(), self._trainer.pairs
        rate = (pairs - self._pairs) / (now - self._written)
        self._written, self._pairs = now, pairs
        line = {**figures, "minutes": (now - self._start) / 60, "pairs": pairs, "pairs_per_second": rate}
        with (self._output / "minutes.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._write(line)

    def text(self) -> str:
        """Summarize throughput and validation."""
        pairs, seconds = self._trainer.pairs - self._first_pairs, self._written - self._start
        before, after = self._trainer.validations[0], self._trainer.validations[-1]
        changes = ", ".join(f"{name} {before[name]:.3f} to {after[name]:.3f}" for name in _VALIDATED)
        rate = f"{pairs / seconds:.1f} per second" if seconds else "none yet"
        return f"{pairs} pairs, {rate}, in batches of {self._trainer.config.batch}; validation: {changes}"

    def _write(self, line: dict[str, Any]) -> None:
        content = {"figures": self.text(), "validations": self._trainer.validations, "last": line}

        def write(path: Path) -> None:
            path.write_text(json.dumps(content, indent=1))

        replace_file(self._output / "training.json", write)


def _batch(device: torch.device) -> int:
    """Batch size that fits into the GPU memory; on a CPU that of config/train_compact.yaml."""
    if device.type != "cuda":
        return 6
    gib = torch.cuda.get_device_properties(device).total_memory / 2**30
    return max(1, min(_MAX_BATCH, int(gib / _GIB_PER_PAIR)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
