"""`loftr-ros demo`: a rendered room played to the node in separate processes over DDS, and its accuracy."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loftr_ros.commands.arguments import positive_int
from loftr_ros.output import make_folder

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from loftr_ros.demo.session import SessionResult
    from loftr_ros.evaluation.ate import TrajectoryErrors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--output", type=Path, default=Path("out/demo"), metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--frames", type=positive_int, default=120, metavar="N", help="poses on the loop (default: 120)"
    )
    parser.add_argument(
        "--domain",
        type=int,
        default=1 + os.getpid() % 100,
        metavar="ID",
        help="ROS_DOMAIN_ID of the demo (default: derived from the process id)",
    )


def main(args: argparse.Namespace) -> int:
    """Render, play to the node, record, evaluate."""
    from rich.console import Console

    from loftr_ros.demo.session import play_to_node
    from loftr_ros.evaluation.ate import evaluate
    from loftr_ros.evaluation.plotting import plot_trajectory
    from loftr_ros.sequences.formats import open_sequence

    console = Console()
    make_folder(args.output)
    folder = _render(args.output / "sequence", args.frames, console)
    with _step(console, f"playing {args.frames} stereo frames to the node, in lockstep"):
        result = play_to_node(folder, args.output, args.domain)
    truth = open_sequence(folder, "stereo").ground_truth
    assert truth is not None  # written with the sequence
    with _step(console, "drawing the trajectory and matches"):
        plot_trajectory(args.output / "trajectory.png", result.trajectory, truth, "Rendered room, stereo", metric=True)
        _draw_matches(folder, args.output / "matches.png")
    console.print(_table(result, evaluate(result.trajectory, truth, with_scale=False)))
    console.print(f"pictures and recording: {args.output}")
    return 0


@contextmanager
def _step(console: Console, text: str) -> Iterator[None]:
    """Show a spinner while a step runs, then a line with its duration."""
    start = time.monotonic()
    with console.status(text):
        yield
    console.print(f"{text}: {time.monotonic() - start:.0f} s")


def _render(root: Path, frames: int, console: Console) -> Path:
    from rich.progress import Progress

    from loftr_ros.demo.room import write_sequence

    with Progress(console=console) as bar:
        task = bar.add_task("rendering the room", total=frames)
        return write_sequence(root, frames, lambda: bar.advance(task))


def _draw_matches(folder: Path, path: Path) -> None:
    """Draw the matches between the first and the fourth frame."""
    from itertools import islice

    import cv2

    from loftr_ros.loftr.runtime.matcher import load_matcher
    from loftr_ros.odometry.config import OdometryConfig
    from loftr_ros.odometry.visual_odometry import VisualOdometry
    from loftr_ros.reports.drawing import draw_matches
    from loftr_ros.sequences.formats import open_sequence

    odometry = VisualOdometry(load_matcher(), OdometryConfig(mode="stereo"))
    first, second = islice(open_sequence(folder, "stereo").every(3), 2)
    odometry.process(first)
    estimate = odometry.process(second)
    caption = f"{estimate.state.value}: {estimate.num_inliers} inliers of {len(estimate.matches)} matches"
    cv2.imwrite(str(path), draw_matches(first.image, second.image, estimate.matches, estimate.inliers, caption))


def _table(result: SessionResult, errors: TrajectoryErrors) -> Table:
    import numpy as np
    from rich.table import Table

    from loftr_ros.ros.replay.reports import latencies_ms, rate

    latency = latencies_ms(result.played, result.recorded)
    table = Table(title="loftr_ros demo", show_header=False)
    table.add_row("frames played", str(len(result.played.stamps_ns)))
    table.add_row("odometry received", str(len(result.recorded.stamps_ns)))
    table.add_row("rate", f"{rate(result.recorded.arrived_ns):.2f} Hz, as fast as this machine answers")
    table.add_row("latency", f"{np.median(latency):.0f} ms median, {max(latency):.0f} ms max")
    table.add_row("path", f"{errors.path_m:.2f} m, closed")
    table.add_row("ATE", f"{errors.ate_m:.3f} m, {errors.ate_percent:.2f} % of the path")
    table.add_row("rotation error", f"{errors.rotation_mean_deg:.3f}° per frame (mean)")
    return table
