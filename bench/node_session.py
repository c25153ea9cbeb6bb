"""Run the node and a camera as two processes in a separate ROS domain."""

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
    """Timing of one processed frame.

    Attributes:
        stamp_ns: stamp of the image, which is the publish time.
        newest_ns: stamp of the newest image received before processing started.
        began_ns: start of processing.
        total_ms: processing time of the whole frame.
        stages_ms: decode, odometry, publish, and the stages of `OdometryEstimate.timings_ms`.
    """

    stamp_ns: int
    newest_ns: int
    began_ns: int
    total_ms: float
    stages_ms: dict[str, float]


@dataclass(frozen=True)
class Session:
    """Measurements of both processes.

    Attributes:
        start_s: from the start of the node process to its first odometry received by the camera process.
        sent_ns: stamps of all images sent, from the first one received by the node.
        callbacks: for each received image: stamp (ns), start of its callback (ns), duration (ms).
        frames: processed frames.
        received_ns: time at which the camera process received the odometry, by stamp.
        memory_mib: resident memory of the node at the first odometry and at the end.
    """

    start_s: float
    sent_ns: list[int]
    callbacks: list[tuple[int, int, float]]
    frames: list[Frame]
    received_ns: dict[int, int]
    memory_mib: tuple[float, float]


def run(images: Path, rate: float, seconds: float, parameters: list[str], folder: Path, domain: int) -> Session:
    """Start the camera, then the node, and measure for `seconds` after the first odometry.

    Args:
        images: NumPy file, (N, H, W) uint8.
        rate: frame rate of the camera, Hz.
        seconds: duration of the measurement.
        parameters: node parameters, NAME:=VALUE.
        folder: for logs and results.
        domain: unused ROS_DOMAIN_ID.

    Raises:
        BenchError: a process failed, or no odometry was received.
    """
    measured, recorded = folder / "node.json", folder / "camera.json"
    environment = {**local_environment(domain), "TIMED_NODE_OUTPUT": str(measured)}
    camera = [sys.executable, str(_HERE / "camera.py"), str(images), "--rate", str(rate), "--output", str(recorded)]
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
        # The node writes its measurements when it ends, on leaving the context.
    measurement, notes = (json.loads(path.read_text()) for path in (measured, recorded))
    frames = [Frame(**frame) for frame in measurement["frames"]]
    received = dict(notes["received"])
    start_s = 1e-9 * (min(received.values()) - began_ns)
    first_ns = measurement["callbacks"][0][0]
    sent = [stamp for stamp in notes["sent"] if stamp >= first_ns]
    return Session(start_s, sent, measurement["callbacks"], frames, received, (memory, memory_at_end))


def _wait_for(log: Path, word: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until `word` is in the log of the camera, as long as `process` is running."""
    deadline = time.monotonic() + PATIENCE_S
    while word not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            output = "\n".join(path.read_text()[-2000:] for path in sorted(log.parent.glob("*.log")))
            raise BenchError(f"The camera did not print '{word}'. Output of the programs:\n{output}")
        time.sleep(0.02)


def percentiles(values: list[float]) -> tuple[float, float, float]:
    """Return median, 95th percentile and maximum; NaN without values."""
    if not values:
        return (float("nan"),) * 3
    median, tail, largest = np.percentile(values, [50, 95, 100])
    return float(median), float(tail), float(largest)
