"""One node, one fault after the other: fault_session.py SEQUENCE NODE_PID MATCHER_ORDER RESULT.json [NAME ...]

After each fault the node has to track again; the time that it takes, and what it said, are written to the result.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rig import Camera, Rig
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

PATIENCE_S, FAULT_S = 90.0, 6.0
sequence, pid, order_file, result, *wanted = sys.argv[1:]
order = Path(order_file)
rig = Rig(Path(sequence))


def camera(**changes: Any) -> Callable[[], None]:
    """A fault of the camera for a few seconds."""

    def act() -> None:
        rig.camera = Camera(**changes)
        time.sleep(FAULT_S)
        rig.camera = Camera()

    return act


def matcher(what: str, seconds: float = FAULT_S) -> Callable[[], None]:
    """A fault of the matcher."""

    def act() -> None:
        order.write_text(what)
        time.sleep(seconds)
        order.write_text("")

    return act


def restart() -> None:
    rig.disconnect()
    time.sleep(FAULT_S)
    rig.connect()


def ahead() -> None:
    rig.camera.once_ns = 100 * 10**9
    time.sleep(FAULT_S)


def call(kind: Any, name: str, request: Any) -> Any:
    client = rig.node.create_client(kind, name)
    if not client.wait_for_service(timeout_sec=PATIENCE_S):
        raise TimeoutError(name)
    future = client.call_async(request)
    rig.wait(future.done, PATIENCE_S)
    return future.result()


def set_parameter(name: str, value: Any) -> bool:
    parameter = Parameter(name, value=value).to_parameter_msg()
    request = SetParameters.Request(parameters=[parameter])
    return bool(call(SetParameters, "/loftr/vo/set_parameters", request).results[0].successful)


def parameters() -> None:
    for index in range(int(10 * FAULT_S)):
        assert set_parameter("max_matches", 200 + index % 2)
        time.sleep(0.1)


def full_disk() -> None:
    """/dev/full refuses every byte; output_folder is /dev."""
    answer = call(Trigger, "save_trajectory", Trigger.Request())
    assert not answer.success
    assert "No space left on device" in answer.message, answer.message


def deaf() -> None:
    """Reliable subscribers that never take a message."""
    node = rclpy.create_node("deaf", namespace="/loftr")
    for _ in range(20):
        node.create_subscription(Odometry, "odometry", lambda message: None, 1)
        node.create_subscription(Image, "match_image", lambda message: None, 1)
    time.sleep(FAULT_S)
    node.destroy_node()


def no_address_space() -> None:
    """The kernel refuses the node every new mapping, in all its libraries."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    no_limit = resource.prlimit(int(pid), resource.RLIMIT_AS)
    resource.prlimit(int(pid), resource.RLIMIT_AS, (pages * resource.getpagesize(), no_limit[1]))
    time.sleep(FAULT_S)
    resource.prlimit(int(pid), resource.RLIMIT_AS, no_limit)


def black(image: Image) -> None:
    image.data = bytes(len(image.data))


def wrong_step(image: Image) -> None:
    image.step = 7


def noise(image: Image) -> None:
    image.data = np.random.default_rng().integers(0, 256, len(image.data), np.uint8).tobytes()


def is_alive() -> bool:
    """Return whether the node runs: one that has ended stays as a zombie until its parent asks."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


ERROR = 2
# What is done, and the lowest level that the diagnostics must reach meanwhile or shortly after.
FAULTS: dict[str, tuple[Callable[[], None], int]] = {
    "camera killed and restarted": (restart, ERROR),
    "right images missing": (camera(sides=("left",)), ERROR),
    "left images missing": (camera(sides=("right",)), ERROR),
    "right images 200 ms late": (camera(delay_s=0.2), 0),
    "30 % of the images lost": (camera(loss=0.3), 0),
    "half the resolution": (camera(scale=0.5), 0),
    "CameraInfo gone": (camera(has_info=False), 0),
    "one frame stamped 100 s ahead": (ahead, 0),
    "clock back by 3 years": (camera(offset_ns=-3 * 365 * 86400 * 10**9), 0),
    "clock at 0": (camera(offset_ns=-time.time_ns() + 10**9), 0),
    "black images": (camera(damage=black), 1),
    "noise": (camera(damage=noise), 1),
    "wrong step": (camera(damage=wrong_step), ERROR),
    "matcher raises": (matcher("raise"), ERROR),
    "matcher exits": (matcher("exit"), ERROR),
    "matcher hangs for 6 s": (matcher("hang"), ERROR),
    "matcher gives NaN": (matcher("nan"), 0),
    "matcher gives 1e30": (matcher("huge"), 1),
    "matcher gives nothing": (matcher("nothing"), 1),
    "out of memory": (matcher("memory"), ERROR),
    "no new memory, in any library": (no_address_space, 0),
    "40 subscribers that do not read": (deaf, 0),
    "parameters at 10 Hz": (parameters, 0),
    "full disk": (full_disk, 1),
}


def run(name: str) -> dict[str, Any]:
    act, level = FAULTS[name]
    first = len(rig.diagnostics)
    invalid = len(rig.invalid)
    failures = []
    try:
        act()
    except Exception as error:
        failures.append(f"{type(error).__name__}: {error}")
    ended = time.monotonic()
    rig.wait(lambda: max((d[1] for d in rig.diagnostics[first:]), default=0) >= level, 15.0)
    said = rig.diagnostics[first:]
    if max((entry[1] for entry in said), default=0) < level:
        failures.append(f"the diagnostics stayed below level {level}")
    recovered = rig.wait(lambda: rig.is_tracking(ended), PATIENCE_S)
    now = time.monotonic()
    if not recovered:
        failures.append(f"no odometry after {PATIENCE_S} s: {rig.diagnostics[-1][2]}")
    if not is_alive():
        failures.append("the node has ended")
    failures += rig.invalid[invalid:]
    odometry = [h.time - ended for h in rig.heard if h.time > ended]
    worst = max(said, key=lambda entry: entry[1], default=(0, 0, "", {}))
    return {
        "fault": name,
        "level": worst[1],
        "message": worst[2],
        "odometry_s": round(min(odometry, default=float("inf")), 2),
        "tracking_s": round(now - ended, 2),
        "failures": failures,
    }


if not rig.wait(lambda: rig.is_tracking(0.0), PATIENCE_S):
    sys.exit(f"no odometry at the start: {rig.diagnostics[-1:]}")
rows = [run(name) for name in wanted or FAULTS]
Path(result).write_text(json.dumps({"rows": rows, "odometry": len(rig.heard)}, indent=1))
print(len(rows), threading.active_count(), flush=True)
sys.stdout.flush()
os._exit(0)  # the threads of the rig are still at work
