#!/usr/bin/env python3
"""Acceptance test on an NVIDIA GPU: tests, speed, odometry, memory, and training for the remaining time.

Needs torch, NumPy, OpenCV, SciPy, safetensors, rich, pytest and a checkout, which need not be installed:

    PYTHONPATH=. python3 bench/gpu.py --output out/gpu

kornia and transformers are measured where they are installed. Each part is a process with a time limit; a failed part
does not stop the others. gpu.json and gpu.md in the output folder are updated after each part, beside its log and its
measurements (.json). Without a GPU all parts run with small sizes on the CPU, in less than a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import program
from parts import PASSED, Outcome, Part, PartsReport, run_part
from report import Report, machine, rich_table

from loftr_ros.commands.arguments import positive
from loftr_ros.errors import LoftrRosError
from loftr_ros.output import make_folder

PROGRAM = "gpu.py"
ROOT = Path(__file__).resolve().parents[1]
SIZES = ("640x480", "1280x720")
SMALL_SIZES = ("128x96",)
METHODS = ("compact", "published", "kornia", "efficientloftr")
HALF_PRECISION_METHODS = ("kornia-autocast", "efficientloftr-autocast")
_END = 8.0  # seconds reserved for the end
_SMALL_TRAINING = 5.0  # seconds, on a CPU


def main(argv: Sequence[str]) -> int:
    """Run all parts. Returns 0, 1 if one of them failed, or 2 for a user error."""
    args = _parse(argv)
    end = monotonic() + 60 * args.minutes - _END
    args.output = args.output.resolve()
    args.images, args.resume = (path and path.resolve() for path in (args.images, args.resume))
    # The parts run in the root of the checkout, whatever the working directory, and end with this process.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        make_folder(args.output)
        outcomes = _run(args, program.command_line(PROGRAM, argv), end)
    except LoftrRosError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return 2
    return 0 if all(one.result == PASSED for one in outcomes) else 1


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=positive, default=9.0, metavar="N", help="total time (default: 9)")
    parser.add_argument("--images", type=Path, metavar="DIR", help="photos for the textures of training")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="state.pt to continue training from")
    parser.add_argument("--output", type=Path, default=Path("out/gpu"), metavar="DIR", help="default: out/gpu")
    return parser.parse_args(argv)


def _run(args: argparse.Namespace, command: str, end: float) -> list[Outcome]:
    console, outcomes = program.table_console(), list[Outcome]()

    def run(part: Part) -> None:
        left = end - monotonic()
        if left < 1:
            outcomes.append(Outcome(part.name, "no time left", 0.0, ""))
        else:
            console.print(f"{part.name}, at most {min(part.limit, left):.0f} s ...", highlight=False)
            log = args.output / f"{part.name.replace(' ', '_')}.log"
            outcomes.append(run_part(replace(part, limit=min(part.limit, left)), log, ROOT))
            console.print(f"  {outcomes[-1].result}. {outcomes[-1].figures}", highlight=False)
        report = Report(PROGRAM, command, machine(), [PartsReport("GPU", outcomes)])
        for name in ("gpu.json", "gpu.md"):
            report.write(args.output / name)

    run(_device(args.output))
    found = json.loads((args.output / "device.json").read_text()) if outcomes[0].result == PASSED else {}
    device = "cuda" if found.get("gpu") else "cpu"
    if device == "cpu":
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # small tensors gain nothing from threads
    for part in _parts(args, device):
        run(part)
    seconds = end - monotonic()
    if device == "cpu":
        seconds = min(seconds, _SMALL_TRAINING)
    run(_training(args, device, seconds))
    console.print(rich_table(PartsReport("GPU" if device == "cuda" else "No GPU: small sizes on the CPU", outcomes)))
    console.print(f"Written to {args.output}", highlight=False)
    return outcomes


def _device(output: Path) -> Part:
    return _own("device", "gpu_device.py", output / "device.json", [], 60)


def _parts(args: argparse.Namespace, device: str) -> list[Part]:
    """All parts but the first and the last; their limits add up to 70 % of the time and are rarely reached."""
    small, whole, output = device == "cpu", 60 * args.minutes, args.output
    tests = ["test/loftr/test_gpu.py", *(["test/loftr/runtime/test_cuda_graphs.py"] if small else [])]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *tests]
    parts = [Part("tests", command, 0.2 * whole, lambda: _last_line(output / "tests.log"))]
    for size in SMALL_SIZES if small else SIZES:
        parts.append(_speed(output, device, size, 0.16 * whole))
    frames = ["--frames", "8", "--size", "256", "192"] if small else []
    parts.append(
        _own("odometry", "gpu_odometry.py", output / "odometry.json", ["--device", device, *frames], 0.12 * whole)
    )
    sizes = ["--frames", "3", "--networks", "compact", "--sizes", *SMALL_SIZES] if small else ["--sizes", *SIZES]
    parts.append(_own("memory", "gpu_memory.py", output / "memory.json", ["--device", device, *sizes], 0.06 * whole))
    return parts


def _own(name: str, script: str, output: Path, options: Sequence[str], limit: float) -> Part:
    """Return a part whose script writes its own figures."""
    output.unlink(missing_ok=True)  # left by an earlier run
    command = [*_script(script), *options, "--output", str(output)]
    return Part(name, command, limit, lambda: str(json.loads(output.read_text())["figures"]))


def _speed(output: Path, device: str, size: str, limit: float) -> Part:
    name = f"speed {size}"
    result = output / f"{name.replace(' ', '_')}.json"
    result.unlink(missing_ok=True)
    methods = METHODS if device == "cpu" else METHODS + HALF_PRECISION_METHODS
    options = ["--devices", device, "--sizes", size, "--methods", *methods]
    options += ["--seconds", "0.2" if device == "cpu" else "1.5", "--patience", str(max(limit / 3, 5))]
    command = [*_script("speed.py"), *options, "--output", str(result)]
    return Part(name, command, limit, lambda: _speeds(json.loads(result.read_text())))


def _training(args: argparse.Namespace, device: str, seconds: float) -> Part:
    folder = args.output / "train"
    options = ["--device", device, "--minutes", str(max(seconds - 2, 1) / 60)]
    options += ["--small", "--save-every", "5"] if device == "cpu" else []
    for name in ("images", "resume"):
        if path := getattr(args, name):
            options += [f"--{name}", str(path)]
    command = [*_script("gpu_training.py"), *options, "--output", str(folder)]
    (folder / "training.json").unlink(missing_ok=True)
    return Part(
        "training",
        command,
        seconds + (30 if device == "cpu" else 0),
        lambda: str(json.loads((folder / "training.json").read_text())["figures"]),
    )


def _script(name: str) -> list[str]:
    return [sys.executable, "-u", str(Path(__file__).with_name(name))]


def _last_line(log: Path) -> str:
    return log.read_text().strip().splitlines()[-1].strip("= ")


def _speeds(report: dict[str, Any]) -> str:
    """Summarize the time per frame of each method, with its roofline bound, milliseconds."""
    rates, results = report["tables"][1]["rates"], report["tables"][0]["results"]
    words = []
    for result in results.values():
        timing = result["timing"]
        if timing is None:
            absent = "is not installed" in result["error"]
            words.append(f"{result['title']} {'not installed' if absent else 'failed: ' + result['error']}")
            continue
        roofline = max(
            timing["work"]["flop"] / rates["flop"][timing["dtype"]], timing["work"]["bytes"] / rates["bytes"]
        )
        median = float(np.median(timing["frames_ms"]))
        words.append(f"{result['title']} {median:.2f} ms (roofline {1e3 * roofline:.2f}, {timing['dtype']})")
    return ", ".join(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
