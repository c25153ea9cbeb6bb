"""What the processes of test_batch.py do."""

import os
import signal
import sys
import time

from loftr_ros.runs.batch import Counter, Task


def work(task: Task, counter: Counter) -> int:
    """End as the name of the task says."""
    counter.start(task.name, 10, 0)
    counter.advance("")
    print(f"this is {task.name}")
    if task.name == "bad":
        print("loftr-ros: error: There is nothing.", file=sys.stderr)
        return 2
    if task.name == "raises":
        raise ValueError("of all things")
    if task.name == "crashes":
        os.kill(os.getpid(), signal.SIGKILL)
    return 0


def waits(task: Task, counter: Counter) -> int:
    """Write a result when a signal comes."""
    signal.signal(signal.SIGTERM, lambda *_: (task.folder / "result").touch())
    counter.start(task.name, 1, 1)
    while not (task.folder / "result").exists():
        time.sleep(0.02)
    return 128 + signal.SIGTERM
