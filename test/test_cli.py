"""The start of `loftr-ros`: help must not wait for what only a command needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loftr_ros.cli import COMMANDS

OUTPUT = [sys.executable, "-m", "loftr_ros.cli", "weights", "list"]

HEAVY = {"torch", "cv2", "numpy", "scipy", "rclpy", "matplotlib", "rich", "yaml"}


@pytest.mark.parametrize("arguments", [(), *((name,) for name in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    code += "from loftr_ros.cli import main; main(sys.argv[1:])"
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage: ")
    loaded = set(result.stderr.split())
    assert "loftr_ros.cli" in loaded
    assert HEAVY & loaded == set()


def test_output_to_a_full_disk() -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(OUTPUT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert result.returncode != 0
    assert result.stderr.startswith("loftr-ros: error: [Errno 28] No space left on device\n")
    assert "Traceback" not in result.stderr


def test_terminal_without_unicode() -> None:
    code = "import loftr_ros.commands.weights as weights; from loftr_ros.cli import main\n"
    code += "weights.main = lambda args: print('\u00b0') or 0\n"
    command = [sys.executable, "-c", code + "main(['weights', 'list'])"]
    result = subprocess.run(
        command, capture_output=True, timeout=60, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert (result.returncode, result.stdout) == (0, b"\\xb0\n"), result.stderr
