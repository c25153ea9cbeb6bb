"""Run a command as one line of progress: python tools/step.py LABEL COMMAND...

The output of the command is shown only if it fails. Runs before anything is installed, so it uses the standard library
only.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Number of lines of the log that are shown if the command fails.
TAIL = 20
SPINNER = "|/-\\"
CLEAR_LINE = "\r\x1b[K"


def run_step(label: str, command: list[str], log: Path | None = None) -> int:
    """Run a command and return its exit code.

    Its output is appended to `log`; if the command fails, its end and the name of the log are shown. Without a log the
    whole output is shown.
    """
    with log.open("a+b") if log else tempfile.TemporaryFile() as output:
        start = output.seek(0, os.SEEK_END)
        code = _run(label, command, output.fileno())
        output.seek(start)
        lines = output.read().decode(errors="replace").splitlines()
    if code:
        print("\n".join(lines[-TAIL:] if log else lines))
        if log:
            print(f"the whole output is in {log}", flush=True)
    return code


def _run(label: str, command: list[str], output: int) -> int:
    """Run a command, with a spinner on a terminal, and print the line."""
    start = time.monotonic()
    print(f"{label} ...", end="", flush=True)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT) as process:
        if sys.stdout.isatty():
            _spin(label, process, start)
    print(" failed" if process.returncode else " ok", f"({time.monotonic() - start:.1f} s)", flush=True)
    return process.returncode


def _spin(label: str, process: subprocess.Popen[bytes], start: float) -> None:
    """Show the spinner until the process ends."""
    for sign in itertools.cycle(SPINNER):
        print(f"{CLEAR_LINE}{label} ... {sign} {time.monotonic() - start:.0f} s", end="", flush=True)
        try:
            process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    print(f"{CLEAR_LINE}{label} ...", end="")


if __name__ == "__main__":
    try:
        sys.exit(run_step(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
