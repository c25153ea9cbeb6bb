"""Programs in a ROS domain of their own, each with its output in a log file."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 60  # how long a program may take to start, to answer, or to end


def local_environment(domain: int) -> dict[str, str]:
    """Return the environment of this process, with DDS kept on this machine and in a ROS_DOMAIN_ID."""
    return {**os.environ, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": str(domain)}


@contextmanager
def running(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its output in `folder`/`name`.log; on the way out, end it as Ctrl-C does, then by force."""
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
