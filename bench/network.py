#!/usr/bin/env python3
"""Milliseconds of the network by stage, for one frame of a video: features are computed once and matched once.

python bench/network.py                              compact at 640 x 480
python bench/network.py --checkpoint random:outdoor  an architecture with random weights
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from report import network_machine
from rich.console import Console
from rich.table import Table

from loftr_ros.commands.arguments import positive_int
from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.checkpoints import load_model
from loftr_ros.loftr.config import preset
from loftr_ros.loftr.matcher import find_device
from loftr_ros.loftr.model import LoFTR
from loftr_ros.training.random import Draw
from loftr_ros.training.scenes import random_pairs
from loftr_ros.training.textures import pattern_atlas

RANDOM = "random:"
Result = TypeVar("Result")


def main(argv: Sequence[str]) -> int:
    """Measure and print. Returns 0, or 2 for an error of the user's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="compact", help="as for loftr-ros run, or random:PRESET")
    parser.add_argument("--size", nargs=2, type=positive_int, default=(640, 480), metavar=("W", "H"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=positive_int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=positive_int, default=20)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    try:
        device = find_device(args.device)
        random = args.checkpoint.startswith(RANDOM)
        network = args.checkpoint.removeprefix(RANDOM)
        model = LoFTR(preset(network)).eval() if random else load_model(args.checkpoint)
    except LoftrRosError as error:
        print(f"network.py: error: {error}", file=sys.stderr)
        return 2
    table = Table(title=f"{args.checkpoint} at {args.size[0]} x {args.size[1]}, milliseconds (median)")
    for name in ("dtype", "extract", "transform", "coarse", "refine", "frame", "matches"):
        table.add_column(name, justify="right")
    for dtype in (torch.float32, torch.bfloat16):
        table.add_row(*_measure(model.to(device), device, dtype, tuple(args.size), args.repeats))
    console = Console()
    console.print("; ".join(f"{name} {value}" for name, value in network_machine(device, torch.float32).items()))
    console.print(table)
    return 0


@torch.inference_mode()
def _measure(model: LoFTR, device: torch.device, dtype: torch.dtype, size: tuple[int, ...], repeats: int) -> list[str]:
    """One row: a rendered pair through the stages; bfloat16 is autocast, as in training."""
    draw = Draw(7, device)
    pair = random_pairs(draw, pattern_atlas(draw, 64).to(device), 1, (size[1], size[0]))
    milliseconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], Result]) -> Result:
        for _ in range(3):
            result = work()
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            result = work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append(1e3 * (time.perf_counter() - start))
        milliseconds[stage] = statistics.median(times)
        return result

    with torch.autocast(device.type, torch.bfloat16, enabled=dtype is torch.bfloat16):
        a = model.extract(pair.a.image)
        b = timed("extract", lambda: model.extract(pair.b.image))
        tokens = timed("transform", lambda: model.transform(a, b))
        cells = timed("coarse", lambda: model.coarse_matching(*tokens, a.grid, b.grid))
        timed("refine", lambda: model.refine(a, b, tokens, cells))
    figures = [*milliseconds.values(), sum(milliseconds.values())]
    return [str(dtype).removeprefix("torch."), *(f"{value:.1f}" for value in figures), str(len(cells.cell_a))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
