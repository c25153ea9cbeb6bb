#!/usr/bin/env python3
"""The real node with timers around its parts; takes the arguments of vo_node.

Started by bench/node.py. Writes its measurements at the end to the file that TIMED_NODE_OUTPUT names.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
from loftr_ros.ros.main import run
from loftr_ros.ros.messages.time import nanoseconds
from loftr_ros.ros.pipeline import Pipeline
from loftr_ros.ros.publishers.outputs import Outputs
from loftr_ros.ros.sensors.camera_subscriber import CameraInput, CameraMessages
from loftr_ros.ros.sensors.frame_builder import FrameBuilder

OUTPUT = "TIMED_NODE_OUTPUT"


class Log:
    """Timing by stamp of the image.

    Attributes:
        callbacks: for each image: stamp, start of its callback (both system clock, ns), duration (ms).
        frames: for each processed frame, see `node_session.Frame`.
    """

    def __init__(self) -> None:
        """Start with an empty log."""
        self.callbacks: list[tuple[int, int, float]] = []
        self.frames: list[dict[str, Any]] = []
        self._stages: dict[str, float] = defaultdict(float)

    def on_image(self, call: Callable[..., None]) -> Callable[..., None]:
        """Time the callback of an image; the frame is received when it returns."""

        def timed(node_input: CameraInput, intake: Any, message: Any) -> None:
            began, clock = time.time_ns(), time.perf_counter()
            call(node_input, intake, message)
            milliseconds = 1e3 * (time.perf_counter() - clock)
            self.callbacks.append((nanoseconds(message.header.stamp), began, milliseconds))

        return timed

    def stage(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Time one stage of a frame; the odometry also contributes its own stage times."""

        def timed(*args: Any) -> Any:
            clock = time.perf_counter()
            result = call(*args)
            self._stages[name] = 1e3 * (time.perf_counter() - clock)
            if name == "odometry":
                self._stages.update(result.timings_ms)
            return result

        return timed

    def on_frame(self, call: Callable[..., None]) -> Callable[..., None]:
        """Time the processing of a frame, and record the newest image received before it."""

        def timed(pipeline: Pipeline, messages: CameraMessages) -> None:
            began, clock = time.time_ns(), time.perf_counter()
            newest = self.callbacks[-1][0] if self.callbacks else 0
            self._stages = defaultdict(float)
            call(pipeline, messages)
            total = 1e3 * (time.perf_counter() - clock)
            stamp = nanoseconds(messages.images[0].header.stamp)
            frame = {"stamp_ns": stamp, "newest_ns": newest, "began_ns": began, "total_ms": total}
            self.frames.append({**frame, "stages_ms": dict(self._stages)})

        return timed


def _install(log: Log) -> None:
    """Wrap the methods of the node's parts in timers."""
    CameraInput._on_image = log.on_image(CameraInput._on_image)  # type: ignore[method-assign]
    Pipeline._process = log.on_frame(Pipeline._process)  # type: ignore[method-assign]
    FrameBuilder.frame = log.stage("decode", FrameBuilder.frame)  # type: ignore[method-assign]
    MetricOdometry.process = log.stage("odometry", MetricOdometry.process)  # type: ignore[method-assign]
    Outputs.publish = log.stage("publish", Outputs.publish)  # type: ignore[method-assign]


if __name__ == "__main__":
    log = Log()
    _install(log)
    code = run()
    Path(os.environ[OUTPUT]).write_text(json.dumps({"callbacks": log.callbacks, "frames": log.frames}))
    sys.exit(code)
