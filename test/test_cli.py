"""The start of `loftr-ros`: help must not wait for what only a command needs."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loftr_ros.cli import COMMANDS
from loftr_ros.commands.arguments import positive, positive_int

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


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e-300", "1e300", "9" * 400, "\u221e"])
def test_positive_numbers_have_a_range(text: str) -> None:
    """Waits of 1e300 s and rates of 1e-300 Hz ended in OverflowError."""
    with pytest.raises((argparse.ArgumentTypeError, ValueError)) as error:
        positive(text)
    assert len(str(error.value)) < 120
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):
        positive_int(text)


def test_positive_numbers_in_range() -> None:
    assert [positive(text) for text in ("1e-9", "1e9")] == [1e-9, 1e9]
    assert [positive_int(text) for text in ("1", str(2**31 - 1))] == [1, 2**31 - 1]


def test_terminal_without_unicode() -> None:
    code = "import loftr_ros.commands.weights as weights; from loftr_ros.cli import main\n"
    code += "weights.main = lambda args: print('\u00b0') or 0\n"
    command = [sys.executable, "-c", code + "main(['weights', 'list'])"]
    result = subprocess.run(
        command, capture_output=True, timeout=60, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert (result.returncode, result.stdout) == (0, b"\\xb0\n"), result.stderr
