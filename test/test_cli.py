"""The start of `loftr-ros`: help must not wait for what only a command needs."""

import subprocess
import sys

import pytest

from loftr_ros.cli import COMMANDS

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
