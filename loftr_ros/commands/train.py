"""`loftr-ros train`: train a checkpoint on images with depth and pose; can be interrupted and resumed at any time.

With several devices: `torchrun --nproc-per-node 2 -m loftr_ros.cli train ...`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loftr_ros.commands.arguments import positive

if TYPE_CHECKING:
    from loftr_ros.training.loop import Trainer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML training configuration")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for state, weights and log")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="state.pt of an earlier run to continue")
    parser.add_argument("--minutes", type=positive, metavar="N", help="stop and save after N minutes")
    parser.add_argument("--steps", type=int, metavar="N", help="length of the schedule, overrides the configuration")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--no-progress", action="store_true", help="hide the progress bar")


def main(args: argparse.Namespace) -> int:
    """Train and print the paths of the results. Returns 0, or 128 + N after signal N."""
    import numpy as np
    import torch

    # NumPy 1 computes finfo on first use, and would warn about denormal numbers flushed to zero below.
    for dtype in (np.float32, np.float64):
        np.finfo(dtype)
    # Gradients become denormal, which is a hundred times slower on CPUs.
    torch.set_flush_denormal(True)
    try:
        return _train(args)
    finally:
        torch.set_flush_denormal(False)


def _train(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from loftr_ros.interruption import Interruption
    from loftr_ros.loftr.runtime.device import find_device
    from loftr_ros.training.config import read_config
    from loftr_ros.training.distributed import joined, local_device
    from loftr_ros.training.loop import Trainer

    config = read_config(args.config)
    if args.steps is not None:
        config = replace(config, steps=args.steps)
    device = find_device(local_device(args.device))
    with joined(device) as workers:
        trainer = Trainer(config, device, workers)
        notes = trainer.resume(args.resume) if args.resume is not None else []
        for note in notes if workers.leads else []:
            print(f"continuing from {args.resume}: {note}", file=sys.stderr)
        with Interruption() as interruption:
            _run_with_progress(trainer, args, lambda: interruption.signal != 0)
        if workers.leads:
            print(f"{trainer.step} steps, {trainer.pairs} pairs: {args.output / 'model.safetensors'}")
        if interruption.signal and workers.leads:
            print(f"interrupted; to continue, add --resume {args.output / 'state.pt'}", file=sys.stderr)
    return 128 + interruption.signal if interruption.signal else 0


def _run_with_progress(trainer: Trainer, args: argparse.Namespace, interrupted: Callable[[], bool]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    note = (
        "loss {coarse_loss:.2f} + {fine_loss:.3f}  true matches: confidence {confidence:.2f}, "
        "error {fine_error_px:.2f} px  {pairs_per_second:.1f} pairs/s"
    )
    columns = (BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    hidden = args.no_progress or not trainer.workers.leads
    with Progress(*columns, console=Console(stderr=True), disable=hidden) as bar:
        task = bar.add_task("", total=trainer.config.steps, completed=trainer.step)

        def report(figures: dict[str, Any]) -> None:
            bar.update(task, completed=figures["step"], description=note.format(**figures))

        trainer.run(args.output, args.minutes, report, interrupted)
