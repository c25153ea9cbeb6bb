#!/usr/bin/env python3
"""Speed and memory of LoFTR against its alternatives, on the same images in one run.

Each method runs in a separate process per size and device, so that its memory can be measured. The time is that of a
video frame: methods that can cache the features of the previous image do so; kornia and transformers recompute them.

    python bench/speed.py                                               everything
    python bench/speed.py --methods compact orb --sizes 320x240         a quick look
    python bench/speed.py --output docs/benchmarks.md                   and update the tables there
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import program
import torch
from image_pairs import shifted_pair
from report import Report, TableReport, machine, rich_table
from roofline import Rates
from runners import RUNNERS
from speed_report import Result, RooflineReport, SpeedReport
from timing import Timing

from loftr_ros.commands.arguments import positive, positive_int

PROGRAM = "speed.py"
SIZES = ((320, 240), (640, 480), (1280, 720))
TIMING = Path(__file__).with_name("timing.py")


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=RUNNERS, default=tuple(RUNNERS), help="default: all")
    parser.add_argument(
        "--sizes", nargs="+", type=image_size, default=SIZES, metavar="WxH", help="default: 320x240 to 720p"
    )
    parser.add_argument("--devices", nargs="+", choices=("cpu", "cuda"), default=("cpu", "cuda"), help="default: both")
    parser.add_argument(
        "--threads", type=positive_int, metavar="N", help="threads of torch and OpenCV (default: theirs)"
    )
    parser.add_argument("--seconds", type=positive, default=20.0, help="duration of each measurement (default: 20)")
    parser.add_argument(
        "--patience", type=positive, default=900.0, metavar="S", help="time limit of each measurement (default: 900)"
    )
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def image_size(text: str) -> tuple[int, int]:
    """Parse WxH."""
    width, _, height = text.partition("x")
    try:
        size = int(width), int(height)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 640x480") from error
    if min(size) < 64 or any(side % 8 for side in size):
        raise argparse.ArgumentTypeError(f"{text}: both sides must be multiples of 8 and at least 64")
    return size


def _run(args: argparse.Namespace, command: str) -> Report:
    program.set_threads(args.threads)
    devices = [name for name in args.devices if name == "cpu" or torch.cuda.is_available()]
    rates = {name: Rates.measure(torch.device(name)) for name in devices}
    facts = machine() | {f"peak rates of {name}": str(rate) for name, rate in rates.items()}
    if "cuda" in devices:
        facts["GPU"] = torch.cuda.get_device_name()
    console = program.table_console()
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)
    tables: list[TableReport] = []
    notes = [f"Not measured: {name} (not available)." for name in args.devices if name not in devices]
    with program.progress_bar() as bar, TemporaryDirectory() as folder:
        task = bar.add_task("", total=len(args.methods) * len(args.sizes) * len(devices))
        for device in devices:
            for width, height in args.sizes:
                pair = Path(folder) / "pair.npz"
                image_a, image_b = shifted_pair(width, height)
                np.savez(pair, a=image_a, b=image_b)
                results = {}
                for name in args.methods:
                    bar.update(task, description=f"{name} at {width} x {height} on {device}")
                    if device in RUNNERS[name].devices:
                        results[name] = _result(name, pair, device, args)
                    bar.advance(task)
                title = f"{width} x {height}, {device}"
                both = SpeedReport(title, results), RooflineReport(title, results, rates[device])
                errors = [f"{title}, {one.title}: {one.error}" for one in results.values() if one.error]
                bar.console.print()
                for table in both:
                    console.print(rich_table(table))
                for error in errors:
                    console.print(error, highlight=False)
                tables += both
                notes += errors
    return Report(PROGRAM, command, facts, tables, notes)


def _result(name: str, pair: Path, device: str, args: argparse.Namespace) -> Result:
    """Run one method; an error becomes the result of its row."""
    title, output = RUNNERS[name].title, pair.with_name("timing.json")
    output.unlink(missing_ok=True)
    command = [sys.executable, str(TIMING), name, str(pair), "--output", str(output)]
    command += ["--device", device, "--seconds", str(args.seconds)]
    if args.threads:
        command += ["--threads", str(args.threads)]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=args.patience, check=False)
    except subprocess.TimeoutExpired:
        return Result(title, None, f"stopped after {args.patience:g} s")
    if process.returncode == 0:
        return Result(title, Timing.read(output))
    if process.returncode < 0:
        return Result(title, None, f"ended by signal {-process.returncode}, probably out of memory")
    return Result(title, None, (process.stderr.strip().splitlines() or ["failed without a message"])[-1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
