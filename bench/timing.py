#!/usr/bin/env python3
"""Time one method of bench/speed.py on one image pair, in a separate process.

python bench/timing.py compact pair.npz --seconds 5 --output timing.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import program
import roofline
import torch
from process_memory import peak_mib, prefer_oom_kill, reset_peak
from runners import RUNNERS, disable_cuda_graphs, dtype_of
from stopwatch import timed

from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.runtime.device import find_device
from loftr_ros.matches import Matches

_WARM_UP = 2
_MIN_RUNS, _MAX_RUNS = 3, 200


@dataclass(frozen=True)
class Timing:
    """One method on one image pair.

    Attributes:
        dtype: type of its weights or features.
        frames_ms: time per video frame: everything for a new image, given the previous one.
        peak_mib: peak memory of the process, or of the GPU.
        work: operations and traffic of one frame.
        matches: (N, 4), x and y in the first and in the second image.
    """

    dtype: str
    frames_ms: list[float]
    peak_mib: float
    work: roofline.Work
    matches: list[list[float]]

    @staticmethod
    def read(path: Path) -> Timing:
        """Read a file of `write`."""
        content = json.loads(path.read_text())
        return Timing(**{**content, "work": roofline.Work(**content["work"])})

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self)))


def main(argv: Sequence[str]) -> int:
    """Measure and write. Returns 0, or 2 for a user error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=RUNNERS)
    parser.add_argument("pair", type=Path, help="NumPy archive with the images a and b")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    program.set_threads(args.threads)
    prefer_oom_kill()
    try:
        with np.load(args.pair) as pair:
            _run(args.method, find_device(args.device), (pair["a"], pair["b"]), args.seconds).write(args.output)
    except LoftrRosError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _run(name: str, device: torch.device, pair: tuple[np.ndarray, np.ndarray], seconds: float) -> Timing:
    matcher = RUNNERS[name].make(device)
    image_a, image_b = pair
    features_a = matcher.extract(image_a)
    reset_peak(device)  # the self-check of LoFTR on a GPU runs before the first image

    def frame() -> Matches:
        return matcher.match(features_a, matcher.extract(image_b))

    frames_ms = _timed_for(seconds, frame)
    peak = peak_mib(device)
    matches = frame()
    dtype = dtype_of(matcher)  # before CUDA graphs are disabled
    disable_cuda_graphs(matcher)
    points = np.hstack([matches.points_a, matches.points_b]).astype(float)
    return Timing(dtype, frames_ms, peak, roofline.count(frame), points.tolist())


def _timed_for(seconds: float, call: Callable[[], object]) -> list[float]:
    """Time calls for some seconds after the warm-up; return milliseconds."""
    for _ in range(_WARM_UP):
        call()
    milliseconds: list[float] = []
    end = perf_counter() + seconds
    while len(milliseconds) < _MIN_RUNS or (perf_counter() < end and len(milliseconds) < _MAX_RUNS):
        milliseconds.append(timed(call)[1])
    return milliseconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
