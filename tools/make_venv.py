"""Create .venv in the root of the repository, or update it if its inputs have changed.

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
# ROS wheels, and versions that override constraints.txt. Jazzy is tested with the NumPy and OpenCV of Ubuntu 24.04, the
# oldest supported versions, Kilted with the newest.
OLDEST = ("numpy==1.26.4", "opencv-python-headless==4.6.0.66")
WHEELS = {"kilted": (), "jazzy": OLDEST if sys.version_info < (3, 13) else ()}
# With a sourced ROS, only packages that it does not ship are pinned: NumPy, SciPy and OpenCV must match its cv_bridge.
PINNED_BESIDE_ROS = (
    "hypothesis",
    "kornia",
    "mypy",
    "pytest",
    "pytest-xdist",
    "rosbags",
    "rosbags-image",
    "ruff",
    "safetensors",
    "torch",
)
MINIMUM = (3, 10)


def main() -> None:
    """Compare the inputs of .venv with the current ones, and install what has changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ros", choices=WHEELS, default="kilted", help="ROS 2 wheels to use if no ROS is sourced")
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
    if found and differ_in_wheels_only(found["base"], base):
        # An interrupted exchange is not taken for either.
        STAMP.write_text(json.dumps({"base": {**base, "ros": "wheels of two"}, "inputs": ""}))
        remove_ros_wheels()
    else:
        # Another interpreter, place or sourced ROS needs a new environment; changed requirements are installed over the
        # old ones.
        create(clear=found is not None and found["base"] != base, system_packages=sourced is not None)
        STAMP.unlink(missing_ok=True)
    install(None if sourced else wheels)
    STAMP.write_text(json.dumps(wanted, indent=1))


def differ_in_wheels_only(found: dict[str, str], wanted: dict[str, str]) -> bool:
    """Whether two environments differ in nothing but the ROS of their wheels: the rest, with PyTorch, can stay."""
    from_wheels = found["ros"].startswith("wheels ") and wanted["ros"].startswith("wheels ")
    return from_wheels and found != wanted and {**found, "ros": wanted["ros"]} == wanted


def hash_inputs() -> str:
    """Digest of the files that determine the installed packages."""
    return hashlib.sha256(b"\0".join((ROOT / name).read_bytes() for name in INPUTS)).hexdigest()


def check_python() -> None:
    """Exit with a message if this interpreter cannot create the environment."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < MINIMUM:
        stop(f"{sys.executable} is Python {version}; 3.10 or newer is needed: make PYTHON=/path/to/python3.")
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        stop(f"{sys.executable} has no venv; install it with: sudo apt install python3-venv.")


def create(clear: bool, system_packages: bool) -> None:
    """Create the empty environment, or keep an existing one."""
    options = ["--clear"] * clear + ["--system-site-packages"] * system_packages
    run(f"{VENV.name} with Python {sys.version.split()[0]}", [sys.executable, "-m", "venv", *options, str(VENV)])


def install(wheels: str | None) -> None:
    """Install this package, editable, with its dependencies; ROS from `wheels`, or None if one is sourced."""
    if wheels:
        label = f"dependencies and ROS 2 {wheels} (PyTorch is large: minutes on a first run)"
        extras, pins = f"dev,{wheels}", ["--constraint", str(CONSTRAINTS)]
    else:
        label = f"dependencies beyond the sourced ROS 2 {os.environ['ROS_DISTRO']}"
        extras, pins = "dev", pins_beside_ros()
    LOG.unlink(missing_ok=True)
    # Modules are compiled when they are first imported, and most never are.
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "--no-compile"]
    run(label, [*pip, "--editable", f"{ROOT}[{extras}]", *pins], LOG)
    if wheels and WHEELS[wheels]:
        # A separate step: some development tools require a newer NumPy, but work without it.
        run("the oldest NumPy and OpenCV", [*pip, "--no-deps", *WHEELS[wheels]], LOG)


def remove_ros_wheels() -> None:
    """Uninstall the wheels of ROS, so that none of one distribution stays beside those of another."""
    code = "import importlib.metadata as m; print(*{d.metadata['Name'] for d in m.distributions()})"
    answer = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    wheels = sorted(name for name in answer.stdout.split() if name.lower().replace("_", "-").startswith("ros-"))
    if wheels:
        run("removing the other ROS 2", [str(PYTHON), "-m", "pip", "uninstall", "--yes", *wheels], LOG)


def pins_beside_ros() -> list[str]:
    """Return requirements that are compatible with the sourced ROS."""
    pins = CONSTRAINTS.read_text().splitlines()
    # cv_bridge was built for the NumPy of this ROS; another major version breaks it.
    return [f"numpy<{system_numpy_major() + 1}", *(pin for pin in pins if pin.split("==")[0] in PINNED_BESIDE_ROS)]


def system_numpy_major() -> int:
    """Major version of the NumPy that the empty environment sees."""
    code = "import numpy; print(numpy.__version__.split('.')[0])"
    answer = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    return int(answer.stdout) if answer.returncode == 0 else 1


def run(label: str, command: list[str], log: Path | None = None) -> None:
    """Run a command as one line of progress; exit with code 2 if it fails."""
    if run_step(label, command, log):
        sys.exit(2)


def stop(reason: str) -> None:
    """Exit with a message and code 2."""
    print(f"make_venv: error: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
