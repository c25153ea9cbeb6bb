#!/usr/bin/env python3
"""Time of the network by stage for one video frame: one feature extraction, one match.

python bench/network.py                                compact at 640 x 480
python bench/network.py --checkpoint random            the published architecture with random weights
python bench/network.py --output docs/benchmarks.md    and update the table there
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import program
import torch
from image_pairs import shifted_pair
from numpy.typing import NDArray
from report import Report, network_machine, rich_table
from runners import random_loftr
from stopwatch import timed
from torch import Tensor

from loftr_ros.commands.arguments import positive_int
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.network.precision import rounded_factors
from loftr_ros.loftr.runtime.device import find_device
from loftr_ros.loftr.weights.checkpoints import load_model

PROGRAM = "network.py"
RANDOM = "random"
_WARM_UP = 3
_DTYPES = {"cpu": (torch.float32, torch.bfloat16), "cuda": (torch.float32, torch.float16)}
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Stages:
    """Median milliseconds by stage for one dtype of the backbone, and the number of matches."""

    dtype: str
    milliseconds: dict[str, float]
    matches: int


@dataclass(frozen=True)
class NetworkReport:
    """The table."""

    heading: str
    rows: Sequence[Stages]

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["backbone", *self.rows[0].milliseconds, "frame", "matches"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per dtype."""
        return [
            [row.dtype, *(f"{value:.1f}" for value in (*times, sum(times))), str(row.matches)]
            for row in self.rows
            for times in [row.milliseconds.values()]
        ]


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="compact", help=f"as for loftr-ros run, or {RANDOM} (default: compact)")
    parser.add_argument("--size", nargs=2, type=positive_int, default=(640, 480), metavar=("W", "H"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=positive_int, metavar="N", help="threads of torch (default: its own)")
    parser.add_argument(
        "--repeats", type=positive_int, default=20, metavar="N", help="repetitions of every stage (default: 20)"
    )
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace, command: str) -> Report:
    program.set_threads(args.threads)
    device = find_device(args.device)
    model = random_loftr() if args.checkpoint == RANDOM else load_model(args.checkpoint)
    pair = shifted_pair(*args.size)
    rows = [_measure(model.prepare(dtype).to(device), device, pair, args.repeats) for dtype in _DTYPES[device.type]]
    title = f"{args.checkpoint} at {args.size[0]} x {args.size[1]}, milliseconds (median of {args.repeats})"
    table = NetworkReport(title, rows)
    facts = network_machine(device, torch.float32) | {"LoFTR on": str(device)}
    console = program.table_console()
    console.print("; ".join(f"{name} {value}" for name, value in facts.items()), highlight=False)
    console.print(rich_table(table))
    return Report(PROGRAM, command, facts, [table])


@torch.inference_mode()
def _measure(model: LoFTR, device: torch.device, pair: Sequence[NDArray[np.uint8]], repeats: int) -> Stages:
    milliseconds: dict[str, float] = {}

    def stage(name: str, work: Callable[[], ResultT]) -> ResultT:
        for _ in range(_WARM_UP):
            work()
        runs = [timed(work) for _ in range(repeats)]
        milliseconds[name] = float(np.median([time for _, time in runs]))
        return runs[-1][0]

    image_a, image_b = (_tensor(image, device) for image in pair)
    a = model.extract(image_a)
    b = stage("extract", lambda: model.extract(image_b))
    # float16 runs the GPU path: fixed shapes and TF32 products, here without CUDA graphs.
    fast = model.dtype is torch.float16
    fixed = partial(model.coarse_matching.strongest, masks=None, count=math.prod(a.grid))
    with rounded_factors() if fast else nullcontext():
        tokens = stage("transform", lambda: model.transform(a, b))
        match_cells = fixed if fast else model.coarse_matching
        cells = stage("coarse", lambda: match_cells(*tokens, a.grid, b.grid))
    stage("refine", lambda: model.refine(a, b, tokens, cells))
    return Stages(str(model.dtype).removeprefix("torch."), milliseconds, int((cells.confidence > 0).sum()))


def _tensor(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    return torch.from_numpy(image).to(device)[None, None].float() / 255


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
