#!/usr/bin/env python3
"""Peak memory of matching by network and image size, and its growth over frames.

python bench/gpu_memory.py --device cuda --output out/memory.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from image_pairs import shifted_pair
from process_memory import peak_mib, reset_peak
from runners import random_loftr
from speed import image_size

from loftr_ros.commands.arguments import positive_int
from loftr_ros.loftr.runtime.device import find_device
from loftr_ros.loftr.runtime.matcher import LoftrMatcher
from loftr_ros.loftr.weights.checkpoints import load_model

NETWORKS = {"compact": lambda: load_model("compact"), "published": random_loftr}
_GROWTH = 1.0  # MiB allowed after the first frames


@dataclass(frozen=True)
class Reading:
    """Memory of one network at one size, MiB.

    Attributes:
        peak: allocated tensors on a GPU, resident memory of the process on a CPU.
        reserved: GPU memory reserved by torch, its cache included.
        grown: growth of the allocated memory from the first frames to the last; 0 on a CPU.
    """

    network: str
    size: str
    precision: str
    peak: float
    reserved: float
    grown: float


def main(argv: Sequence[str]) -> int:
    """Measure and write. Returns 0, or 1 if the memory of a GPU grows from frame to frame."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=tuple(NETWORKS))
    parser.add_argument("--sizes", nargs="+", type=image_size, default=((640, 480), (1280, 720)), metavar="WxH")
    parser.add_argument("--frames", type=positive_int, default=50, metavar="N", help="default: 50")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    device = find_device(args.device)
    readings: list[Reading] = []
    for name in args.networks:
        for size in args.sizes:
            readings.append(_read(name, size, device, args.frames))
            words = [f"{one.network} {one.size}: {one.peak:.0f} MiB" for one in readings]
            grown = f"; grown by {max(one.grown for one in readings):.1f} MiB in {args.frames} frames"
            text = ", ".join(words) + (grown if device.type == "cuda" else " of the process")
            # Written after each reading, as the next one may run out of memory or time.
            args.output.write_text(
                json.dumps({"figures": text, "readings": [asdict(one) for one in readings]}, indent=1)
            )
    print(text)
    return 0 if all(one.grown <= _GROWTH for one in readings) else 1


def _read(name: str, size: tuple[int, int], device: torch.device, frames: int) -> Reading:
    matcher = LoftrMatcher(NETWORKS[name](), device, name)
    image_a, image_b = shifted_pair(*size)
    features_a = matcher.extract(image_a)
    reset_peak(device)  # the self-check against float32 before the first image needs more memory than matching
    first = 0
    for number in range(frames):
        matcher.match(features_a, matcher.extract(image_b))
        if number == min(2, frames - 1) and device.type == "cuda":
            first = torch.cuda.memory_allocated(device)
    grown = (torch.cuda.memory_allocated(device) - first) / 2**20 if device.type == "cuda" else 0.0
    reserved = torch.cuda.max_memory_reserved(device) / 2**20 if device.type == "cuda" else 0.0
    reading = Reading(name, f"{size[0]}x{size[1]}", matcher.precision, peak_mib(device), reserved, grown)
    matcher.network.forget()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return reading


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
