"""The node and a camera, as two processes in a ROS domain of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from data import BenchError
from process_memory import resident_mib

from loftr_ros.demo.programs import PATIENCE_S, local_environment, running

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Frame:
    """A frame that the node processed.

    Attributes:
        stamp_ns: of its image: when the camera published it.
        newest_ns: stamp of the newest image that had arrived when the work began.
        began_ns: when that was.
        total_ms: what the work took, all included.
        stages_ms: decode, odometry, publish, and within the odometry what `OdometryEstimate.timings_ms` tells.
    """

    stamp_ns: int
    newest_ns: int
    began_ns: int
    total_ms: float
    stages_ms: dict[str, float]


@dataclass(frozen=True)
class Session:
    """What both processes noted.

    Attributes:
        start_s: from the start of the node's process to its first odometry at the camera's.
        sent_ns: stamps of all images from the first that arrived.
        callbacks: of every image that arrived: stamp, when its callback began (ns), how long it took (ms).
        frames: that were processed.
        came_ns: when the odometry came to the camera's process, by stamp.
        memory_mib: of the node at the first odometry and at the end.
    """

    start_s: float
    sent_ns: list[int]
    callbacks: list[tuple[int, int, float]]
    frames: list[Frame]
    came_ns: dict[int, int]
    memory_mib: tuple[float, float]


def run(images: Path, rate: float, seconds: float, parameters: list[str], folder: Path, domain: int) -> Session:
    """Start the camera, then the node; measure for some seconds after the first odometry.

    Args:
        images: (N, H, W) uint8, of NumPy.
        rate: of the camera, Hz.
        seconds: to measure.
        parameters: of the node, NAME:=VALUE.
        folder: for logs and results.
        domain: ROS_DOMAIN_ID that nobody else uses.

    Raises:
        BenchError: a process failed, or no odometry came.
    """
    measured, noted = folder / "node.json", folder / "camera.json"
    environment = {**local_environment(domain), "TIMED_NODE_OUTPUT": str(measured)}
    camera = [sys.executable, str(_HERE / "camera.py"), str(images), "--rate", str(rate), "--output", str(noted)]
    node = [sys.executable, str(_HERE / "timed_node.py"), "--ros-args"]
    for parameter in parameters:
        node += ["-p", parameter]
    with running("camera", camera, folder, environment) as camera_process:
        _wait_for(folder / "camera.log", "ready", camera_process)
        began_ns = time.time_ns()
        with running("node", node, folder, environment) as node_process:
            _wait_for(folder / "camera.log", "odometry", node_process)
            memory = resident_mib(node_process.pid)
            time.sleep(seconds)
            memory_at_end = resident_mib(node_process.pid)
        # The node has ended with the context, and left what it measured.
    measurement, notes = (json.loads(path.read_text()) for path in (measured, noted))
    frames = [Frame(**frame) for frame in measurement["frames"]]
    came = dict(notes["came"])
    start_s = 1e-9 * (min(came.values()) - began_ns)
    first_ns = measurement["callbacks"][0][0]
    sent = [stamp for stamp in notes["sent"] if stamp >= first_ns]
    return Session(start_s, sent, measurement["callbacks"], frames, came, (memory, memory_at_end))


def _wait_for(log: Path, word: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the camera has said a word, while a process runs."""
    deadline = time.monotonic() + PATIENCE_S
    while word not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            said = "\n".join(path.read_text()[-2000:] for path in sorted(log.parent.glob("*.log")))
            raise BenchError(f"The camera does not say '{word}'. What the programs said:\n{said}")
        time.sleep(0.02)


def percentiles(values: list[float]) -> tuple[float, float, float]:
    """Return median, 95th percentile and largest; NaN where there is nothing."""
    if not values:
        return (float("nan"),) * 3
    median, tail, largest = np.percentile(values, [50, 95, 100])
    return float(median), float(tail), float(largest)
