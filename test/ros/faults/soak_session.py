"""A camera at full rate, with loops and kidnaps: soak_session.py SEQUENCE NODE_PID WIDTH HEIGHT MINUTES RESULT.json

Samples the memory, threads and descriptors of the node, and the latency of its odometry.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rig import Camera, Rig

RATE_HZ, KIDNAP_S, SAMPLES = 60.0, 7.0, 240
sequence, pid, width, height, minutes, result = sys.argv[1:]
process = Path("/proc") / pid


def sample() -> dict[str, float]:
    """Return what the node holds now."""
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return {
        "time": time.monotonic(),
        "rss_kib": int(status["VmRSS"].split()[0]),
        "threads": int(status["Threads"]),
        "descriptors": len(list((process / "fd").iterdir())),
        "sent": rig.sent,
    }


def summary(samples: list[dict[str, float]], rig: Rig, since: float) -> dict[str, Any]:
    """Return the figures: growth from the first to the last fifth of the samples, by their medians."""
    fifth = max(len(samples) // 5, 1)
    first, last = (
        {key: float(np.median([s[key] for s in part])) for key in samples[0]}
        for part in (samples[:fifth], samples[-fifth:])
    )
    heard = [h for h in rig.heard if h.time > since]
    latency = np.array([h.latency_s for h in heard])
    # Newest wins: a frame waits for the one in work, at most, so the next one takes less than two of the longest.
    behind = np.array([1e-9 * (h.newest_ns - h.stamp_ns) for h in heard])
    seconds = samples[-1]["time"] - samples[0]["time"]
    return {
        "minutes": round(seconds / 60, 1),
        "size": f"{width}x{height}",
        "offered_hz": round((samples[-1]["sent"] - samples[0]["sent"]) / seconds, 1),
        "odometry": len(heard),
        "odometry_hz": round(len(heard) / seconds, 2),
        "memory_mib": round(last["rss_kib"] / 1024, 1),
        "memory_mib_by_tenth": [
            round(float(np.median([s["rss_kib"] for s in part])) / 1024) for part in np.array_split(samples, 10)
        ],
        "memory_growth": round(last["rss_kib"] / first["rss_kib"] - 1, 4),
        "thread_growth": last["threads"] - first["threads"],
        "descriptor_growth": last["descriptors"] - first["descriptors"],
        "latency_median_s": round(float(np.median(latency)), 3),
        "latency_p99_s": round(float(np.quantile(latency, 0.99)), 3),
        "latency_max_s": round(float(latency.max()), 3),
        "behind_newest_median_s": round(float(np.median(behind)), 3),
        "behind_newest_max_s": round(float(behind.max()), 3),
        "invalid": rig.invalid,
    }


rig = Rig(Path(sequence), Camera(rate=RATE_HZ), (int(width), int(height)))
if not rig.wait(lambda: rig.is_tracking(0.0), 120.0):
    sys.exit(f"no odometry at the start: {rig.diagnostics[-1:]}")
seconds = 60 * float(minutes)
time.sleep(min(30.0, 0.25 * seconds))  # buffers fill: warm-up
began, randomly = time.monotonic(), random.Random(2)
samples, kidnap = [sample()], began + KIDNAP_S
while time.monotonic() < began + seconds:
    time.sleep(max(seconds / SAMPLES, 0.2))
    samples.append(sample())
    if time.monotonic() > kidnap:
        rig.camera.jump, kidnap = True, kidnap + randomly.uniform(0.5, 1.5) * KIDNAP_S
Path(result).write_text(json.dumps(summary(samples, rig, began), indent=1) + "\n")
sys.stdout.flush()
os._exit(0)  # the threads of the rig are still at work
