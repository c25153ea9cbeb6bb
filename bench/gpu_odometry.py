#!/usr/bin/env python3
"""Odometry in the rendered room on a GPU against float32 on the CPU: both trajectories must agree.

Without a GPU the GPU path (float16, fixed shapes) runs on the CPU.

python bench/gpu_odometry.py --device cuda --output out/odometry.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from image_pairs import pinhole
from numpy.typing import NDArray
from oracle_matcher import room_frames
from scipy.spatial.transform import Rotation
from stopwatch import TimedMatcher, timed

from loftr_ros.commands.arguments import positive_int
from loftr_ros.loftr.network.precision import Precision
from loftr_ros.loftr.runtime.device import find_device
from loftr_ros.loftr.runtime.matcher import load_matcher
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.visual_odometry import VisualOdometry

# float16 on a CPU is within 0.2 % of the path and 0.01 degrees of float32.
POSITION_TOLERANCE = 0.01  # of the path
ROTATION_TOLERANCE = 0.1  # degrees


@dataclass(frozen=True)
class Run:
    """One run of N frames.

    Attributes:
        poses: (N, 4, 4) T_odom_camera.
        frame_ms, matching_ms: (N,) milliseconds per frame, in total and for matching.
        fallback: `LoftrMatcher.fallback`.
    """

    poses: NDArray[np.float64]
    frame_ms: NDArray[np.float64]
    matching_ms: NDArray[np.float64]
    fallback: str | None

    def rates(self) -> str:
        """Summarize the time per frame."""
        frame, matching = np.median(self.frame_ms[1:]), np.median(self.matching_ms[1:])
        return f"{frame:.1f} ms per frame ({1e3 / frame:.0f} frames/s), of which matching {matching:.1f}"


def main(argv: Sequence[str]) -> int:
    """Run both, compare and write. Returns 0, or 1 if the trajectories differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--frames", type=positive_int, default=40, metavar="N", help="default: 40")
    parser.add_argument("--size", nargs=2, type=positive_int, default=(640, 480), metavar=("W", "H"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    frames, truth = room_frames(args.frames, pinhole(*args.size))
    device = str(find_device(args.device))
    expected = _run_odometry(frames, "cpu", "float32")
    found = _run_odometry(frames, device, "auto" if device != "cpu" else "float16")
    path = float(np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1).sum())
    meters, degrees = _apart(found.poses, expected.poses)
    same = meters <= POSITION_TOLERANCE * path and degrees <= ROTATION_TOLERANCE
    figures = {
        "figures": f"{1e3 * meters:.1f} mm and {degrees:.3f} degrees from the CPU's on {path:.2f} m "
        f"(allowed {1e3 * POSITION_TOLERANCE * path:.1f} mm, {ROTATION_TOLERANCE:g} degrees); "
        f"{device}: {found.rates()}; CPU in float32: {expected.rates()}"
        + (f"; {found.fallback}" if found.fallback else ""),
        "meters_apart": meters,
        "degrees_apart": degrees,
        "path_m": path,
        "fallback": found.fallback,
        "frame_ms": {device: found.frame_ms.tolist(), "cpu float32": expected.frame_ms.tolist()},
        "matching_ms": {device: found.matching_ms.tolist(), "cpu float32": expected.matching_ms.tolist()},
        "meters_from_truth": _apart(found.poses, np.linalg.inv(truth[0]) @ truth)[0],
    }
    args.output.write_text(json.dumps(figures, indent=1))
    print(figures["figures"])
    return 0 if same and not found.fallback else 1


def _run_odometry(frames: Sequence[Frame], device: str, precision: Precision) -> Run:
    matcher = load_matcher("compact", device, precision=precision)
    matcher.warm_up(*frames[0].image.shape)
    clock = TimedMatcher(matcher)
    odometry = VisualOdometry(clock, OdometryConfig(mode="stereo"))
    poses, frame_ms, matched_ms = [], [], [0.0]
    for frame in frames:
        estimate, milliseconds = timed(partial(odometry.process, frame))
        poses.append(estimate.T_odom_camera)
        frame_ms.append(milliseconds)
        matched_ms.append(clock.total_ms)
    return Run(np.array(poses), np.array(frame_ms), np.diff(matched_ms), matcher.fallback)


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """Return the largest distance (meters) and angle (degrees) between the poses of two trajectories."""
    difference = np.linalg.inv(a) @ b
    angles = Rotation.from_matrix(difference[:, :3, :3]).magnitude()
    return float(np.linalg.norm(difference[:, :3, 3], axis=1).max()), float(np.degrees(angles.max()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
