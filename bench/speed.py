#!/usr/bin/env python3
"""How fast LoFTR is, against what one could take in its place: all on the same images, in one run.

Each entrant has a process of its own on each size and device, so that its memory is its own, too. A frame is one of a
video: whoever can keep what was computed for the image before does so; kornia and transformers compute it again.

    python bench/speed.py                                               everything
    python bench/speed.py --entrants compact orb --sizes 320x240        a quick look
    python bench/speed.py --output docs/benchmarks.md                   and rewrite the tables there
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
from entrants import ENTRANTS
from floor import Rates
from lap import Lap
from report import Report, TableReport, machine, rich_table
from speed_report import FloorReport, Result, SpeedReport
from views import shifted_pair

from loftr_ros.commands.arguments import positive, positive_int

PROGRAM = "speed.py"
SIZES = ((320, 240), (640, 480), (1280, 720))
LAP = Path(__file__).with_name("lap.py")


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for an error of the user's."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entrants", nargs="+", choices=ENTRANTS, default=tuple(ENTRANTS), help="default: all")
    parser.add_argument(
        "--sizes", nargs="+", type=image_size, default=SIZES, metavar="WxH", help="default: 320x240 to 720p"
    )
    parser.add_argument("--devices", nargs="+", choices=("cpu", "cuda"), default=("cpu", "cuda"), help="default: both")
    parser.add_argument("--threads", type=positive_int, metavar="N", help="of torch and OpenCV (default: theirs)")
    parser.add_argument("--seconds", type=positive, default=20.0, help="for the frames of each row (default: 20)")
    parser.add_argument("--patience", type=positive, default=900.0, metavar="S", help="for each row (default: 900)")
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def image_size(text: str) -> tuple[int, int]:
    """Width and height of WxH, for the command line."""
    width, _, height = text.partition("x")
    try:
        size = int(width), int(height)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no size such as 640x480") from error
    if min(size) < 64 or any(side % 8 for side in size):
        raise argparse.ArgumentTypeError(f"{text}: both sides are multiples of 8, from 64 on, so that all see the same")
    return size


def _run(args: argparse.Namespace, command: str) -> Report:
    program.set_threads(args.threads)
    devices = [name for name in args.devices if name == "cpu" or torch.cuda.is_available()]
    rates = {name: Rates.measure(torch.device(name)) for name in devices}
    facts = machine() | {f"{name} does": str(rate) for name, rate in rates.items()}
    if "cuda" in devices:
        facts["GPU"] = torch.cuda.get_device_name()
    console = program.table_console()
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)
    tables: list[TableReport] = []
    notes = [f"Still open: {name}, which is not here." for name in args.devices if name not in devices]
    with program.progress_bar() as bar, TemporaryDirectory() as folder:
        task = bar.add_task("", total=len(args.entrants) * len(args.sizes) * len(devices))
        for device in devices:
            for width, height in args.sizes:
                pair = Path(folder) / "pair.npz"
                image_a, image_b = shifted_pair(width, height)
                np.savez(pair, a=image_a, b=image_b)
                results = {}
                for name in args.entrants:
                    bar.update(task, description=f"{name} at {width} x {height} on {device}")
                    if device in ENTRANTS[name].devices:
                        results[name] = _result(name, pair, device, args)
                    bar.advance(task)
                title = f"{width} x {height}, {device}"
                both = SpeedReport(title, results), FloorReport(title, results, rates[device])
                problems = [f"{title}, {one.title}: {one.problem}" for one in results.values() if one.problem]
                bar.console.print()
                for table in both:
                    console.print(rich_table(table))
                for problem in problems:
                    console.print(problem, highlight=False)
                tables += both
                notes += problems
    return Report(PROGRAM, command, facts, tables, notes)


def _result(name: str, pair: Path, device: str, args: argparse.Namespace) -> Result:
    """Run one entrant; whatever goes wrong there becomes a row that says so."""
    title, output = ENTRANTS[name].title, pair.with_name("lap.json")
    output.unlink(missing_ok=True)
    command = [sys.executable, str(LAP), name, str(pair), "--output", str(output)]
    command += ["--device", device, "--seconds", str(args.seconds)]
    if args.threads:
        command += ["--threads", str(args.threads)]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=args.patience, check=False)
    except subprocess.TimeoutExpired:
        return Result(title, None, f"not ready after {args.patience:g} s")
    if process.returncode == 0:
        return Result(title, Lap.read(output))
    if process.returncode < 0:
        return Result(title, None, f"ended by signal {-process.returncode}, as it is where memory runs out")
    return Result(title, None, (process.stderr.strip().splitlines() or ["failed without a word"])[-1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
