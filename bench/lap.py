#!/usr/bin/env python3
"""Time one entrant of bench/speed.py on one pair of images, in a process of its own, and write what came of it.

python bench/lap.py compact pair.npz --seconds 5 --output lap.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import floor
import numpy as np
import program
import torch
from entrants import ENTRANTS, call_as_it_is, dtype_of
from process_memory import die_first, forget_peak, peak_mib
from stopwatch import timed

from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.runtime.device import find_device
from loftr_ros.matches import Matches

_WARM_UP = 2
_LEAST_RUNS, _MOST_RUNS = 3, 200


@dataclass(frozen=True)
class Lap:
    """One entrant on one pair of images.

    Attributes:
        dtype: of its weights or features.
        frames_ms: of each frame of a video: all that has to be done for a new image, the one before being known.
        peak_mib: largest memory of the process, or of the GPU, until the last frame.
        work: of one frame.
        matches: (N, 4), x and y in the first and in the second image.
    """

    dtype: str
    frames_ms: list[float]
    peak_mib: float
    work: floor.Work
    matches: list[list[float]]

    @staticmethod
    def read(path: Path) -> Lap:
        """Read what `write` wrote."""
        content = json.loads(path.read_text())
        return Lap(**{**content, "work": floor.Work(**content["work"])})

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self)))


def main(argv: Sequence[str]) -> int:
    """Measure and write. Returns 0, or 2 for an error of the user's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entrant", choices=ENTRANTS)
    parser.add_argument("pair", type=Path, help="a NumPy archive with the images a and b")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    program.set_threads(args.threads)
    die_first()
    try:
        with np.load(args.pair) as pair:
            _run(args.entrant, find_device(args.device), (pair["a"], pair["b"]), args.seconds).write(args.output)
    except LoftrRosError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _run(name: str, device: torch.device, pair: tuple[np.ndarray, np.ndarray], seconds: float) -> Lap:
    matcher = ENTRANTS[name].make(device)
    image_a, image_b = pair
    features_a = matcher.extract(image_a)
    forget_peak(device)  # before its first image LoFTR compares what it does on a GPU with float32

    def frame() -> Matches:
        return matcher.match(features_a, matcher.extract(image_b))

    frames_ms = _timed_for(seconds, frame)
    peak = peak_mib(device)
    matches = frame()
    dtype = dtype_of(matcher)  # of what was timed
    call_as_it_is(matcher)
    points = np.hstack([matches.points_a, matches.points_b]).astype(float)
    return Lap(dtype, frames_ms, peak, floor.count(frame), points.tolist())


def _timed_for(seconds: float, call: Callable[[], object]) -> list[float]:
    """Milliseconds of as many calls as there is time for, after those that warm up."""
    for _ in range(_WARM_UP):
        call()
    milliseconds: list[float] = []
    end = perf_counter() + seconds
    while len(milliseconds) < _LEAST_RUNS or (perf_counter() < end and len(milliseconds) < _MOST_RUNS):
        milliseconds.append(timed(call)[1])
    return milliseconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
