"""Make .venv in the root of the repository, or bring it up to date; do nothing when it is.

Runs on the system's Python before anything is installed, so it uses the standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from step import run_step

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "loftr_ros.json"
LOG = VENV / "pip.log"
INPUTS = ("setup.py", "setup.cfg", "pyproject.toml", "constraints.txt", "tools/make_venv.py")
CONSTRAINTS = ROOT / "constraints.txt"
# Wheels of ROS, and what goes with them in place of what constraints.txt says. Jazzy has the NumPy and the OpenCV of
# Ubuntu 24.04, which it runs on: so the tests see the oldest that the package supports, and the newest.
OLDEST = ("numpy==1.26.4", "opencv-python-headless==4.6.0.66")
WHEELS = {"kilted": (), "jazzy": OLDEST if sys.version_info < (3, 13) else ()}
# Beside a sourced ROS, only what it does not ship is pinned: its NumPy, SciPy and OpenCV go with its cv_bridge.
PINNED_BESIDE_ROS = (
    "hypothesis",
    "kornia",
    "mypy",
    "pytest",
    "pytest-xdist",
    "rosbags-image",
    "ruff",
    "safetensors",
    "torch",
)
MINIMUM = (3, 10)


def main() -> None:
    """Compare what .venv was made from with what is asked for now, and install the difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ros", choices=WHEELS, default="kilted", help="ROS 2 wheels, where none is sourced")
    wheels = parser.parse_args().ros
    sourced = os.environ.get("ROS_DISTRO") if os.environ.get("AMENT_PREFIX_PATH") else None
    ros = f"sourced {sourced}" if sourced else f"wheels {wheels}"
    # The base prefix is the same inside an activated .venv.
    base = {"python": sys.version, "prefix": sys.base_prefix, "place": str(ROOT), "ros": ros}
    wanted = {"base": base, "inputs": hash_inputs()}
    found = json.loads(STAMP.read_text()) if STAMP.exists() else None
    if found == wanted:
        return
    check_python()
    # Another interpreter or ROS needs a new environment; changed requirements are installed over the old ones.
    create(clear=found is not None and found["base"] != base, system_packages=sourced is not None)
    STAMP.unlink(missing_ok=True)
    install(None if sourced else wheels)
    STAMP.write_text(json.dumps(wanted, indent=1))


def hash_inputs() -> str:
    """Digest of the files that decide what is installed."""
    return hashlib.sha256(b"\0".join((ROOT / name).read_bytes() for name in INPUTS)).hexdigest()


def check_python() -> None:
    """Stop with one sentence when this interpreter cannot make the environment."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < MINIMUM:
        stop(f"{sys.executable} is Python {version}; 3.10 or newer is needed: make PYTHON=/path/to/python3.")
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        stop(f"{sys.executable} has no venv; install it with: sudo apt install python3-venv.")


def create(clear: bool, system_packages: bool) -> None:
    """Make the bare environment, or keep the one that is there."""
    options = ["--clear"] * clear + ["--system-site-packages"] * system_packages
    run(f"{VENV.name} with Python {sys.version.split()[0]}", [sys.executable, "-m", "venv", *options, str(VENV)])


def install(wheels: str | None) -> None:
    """Install this package, editable, with what it needs; ROS from `wheels`, or None where one is sourced."""
    if wheels:
        label = f"dependencies and ROS 2 {wheels} (PyTorch is large: minutes on a first run)"
        extras, pins = f"dev,{wheels}", ["--constraint", str(CONSTRAINTS)]
    else:
        label = f"what the sourced ROS 2 {os.environ['ROS_DISTRO']} does not bring"
        extras, pins = "dev", pins_beside_ros()
    LOG.unlink(missing_ok=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    run(label, [*pip, "--editable", f"{ROOT}[{extras}]", *pins], LOG)
    if wheels and WHEELS[wheels]:
        # Not in one with the others: some of the tools for development ask for a newer NumPy, and do without.
        run("the oldest NumPy and OpenCV", [*pip, "--no-deps", *WHEELS[wheels]], LOG)


def pins_beside_ros() -> list[str]:
    """Return requirements that leave the sourced ROS in working order."""
    pins = CONSTRAINTS.read_text().splitlines()
    # cv_bridge was built for the NumPy of this ROS; another major version breaks it.
    return [f"numpy<{system_numpy_major() + 1}", *(pin for pin in pins if pin.split("==")[0] in PINNED_BESIDE_ROS)]


def system_numpy_major() -> int:
    """Major version of the NumPy that the new environment sees before anything is installed into it."""
    code = "import numpy; print(numpy.__version__.split('.')[0])"
    answer = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    return int(answer.stdout) if answer.returncode == 0 else 1


def run(label: str, command: list[str], log: Path | None = None) -> None:
    """Run a command as one line of progress; leave when it fails, with exit code 2."""
    if run_step(label, command, log):
        sys.exit(2)


def stop(reason: str) -> None:
    """Leave with a reason and exit code 2."""
    print(f"make_venv: error: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
