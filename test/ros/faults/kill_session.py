"""Kills a node with SIGKILL and restarts it, repeatedly: kill_session.py SEQUENCE SEED RESULT.json NODE_COMMAND ...

It is killed as it starts, tracks, and saves its trajectory. Each new one has to track; the times until then are kept.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rig import Rig
from std_srvs.srv import Trigger

PATIENCE_S, RESPAWN_S = 240.0, 0.5
sequence, seed, result, *command = sys.argv[1:]
randomly = random.Random(seed)
rig = Rig(Path(sequence))
save = rig.node.create_client(Trigger, "save_trajectory")


def start() -> subprocess.Popen[bytes]:
    time.sleep(RESPAWN_S)  # what the last one sent has arrived
    return subprocess.Popen([sys.executable, *command])


def kill(node: subprocess.Popen[bytes], moment: str) -> None:
    """Kill the node, which tracks, at a moment."""
    if moment == "starting":
        kill(node, "tracking")
        node = start()
        time.sleep(randomly.uniform(0.1, 6.0))
    elif moment == "saving":
        save.wait_for_service(PATIENCE_S)
        save.call_async(Trigger.Request())
        time.sleep(randomly.uniform(0.0, 1.0))
    else:
        time.sleep(randomly.uniform(0.0, 3.0))
    node.kill()
    node.wait()


def recovered(began: float) -> dict[str, Any]:
    """Wait until a node that was just started tracks."""
    is_tracking = rig.wait(lambda: rig.is_tracking(began), PATIENCE_S)
    odometry = [h.time - began for h in rig.heard if h.time > began]
    return {
        "odometry_s": round(min(odometry, default=float("inf")), 2),
        "tracking_s": round(time.monotonic() - began, 2),
        "failures": [] if is_tracking else [f"no odometry after {PATIENCE_S} s: {rig.diagnostics[-1:]}"],
    }


node, rows = start(), []
if not rig.wait(lambda: rig.is_tracking(0.0), PATIENCE_S):
    sys.exit(f"no odometry at the start: {rig.diagnostics[-1:]}")
for moment in itertools.islice(itertools.cycle(("tracking", "saving", "starting")), 6):
    kill(node, moment)
    node = start()
    rows.append({"moment": moment, **recovered(time.monotonic())})
node.terminate()
Path(result).write_text(json.dumps({"rows": rows, "invalid": rig.invalid, "code": node.wait()}, indent=1))
sys.stdout.flush()
os._exit(0)  # the threads of the rig are still at work
