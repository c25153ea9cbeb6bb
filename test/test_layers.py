"""Dependencies point one way: each layer is imported in a fresh process, and must not load what it may not use."""

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import loftr_ros

FORBIDDEN = {
    "loftr": {"cv2", "rclpy", "matplotlib", "loftr_ros.odometry", "loftr_ros.sequences", "loftr_ros.download"},
    "odometry": {"torch", "rclpy", "matplotlib", "loftr_ros.loftr", "loftr_ros.sequences"},
    "evaluation": {
        "torch",
        "rclpy",
        "scipy.optimize",
        "loftr_ros.odometry.pose",
        "loftr_ros.loftr",
        "loftr_ros.sequences",
    },
    "sequences": {
        "torch",
        "rclpy",
        "rosbags",
        "scipy.optimize",
        "matplotlib",
        "loftr_ros.loftr",
        "loftr_ros.odometry.pose",
    },
    "messages": {"torch", "rclpy", "sensor_msgs", "cv_bridge", "rosbags", "loftr_ros.ros", "loftr_ros.sequences"},
    "checkup": {"torch", "rclpy", "matplotlib", "rich", "loftr_ros.loftr"},
    "runs": {"torch", "rclpy", "loftr_ros.loftr", "loftr_ros.commands"},
    "training": {"rclpy", "matplotlib", "h5py", "tensorboard"},
    "commands": {"torch", "cv2", "numpy", "rclpy", "matplotlib", "rich"},
    "cli": {"torch", "cv2", "numpy", "rclpy", "matplotlib", "rich"},
}

# Rooms of the odometry and of LoFTR, from the ground up: each imports only those before it.
ROOMS = {
    "odometry": ("geometry", "images", "pose", "mapping", "tracking", "checks", "scale"),
    "loftr": ("network", "weights", "runtime"),
}
MAX_MODULES = 16  # of a folder


def modules_of(layer: str) -> list[str]:
    """Names of all modules of a layer."""
    path = [f"{folder}/{layer}" for folder in loftr_ros.__path__]
    below = pkgutil.walk_packages(path, f"loftr_ros.{layer}.")
    return [f"loftr_ros.{layer}", *(module.name for module in below)]


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_layer_loads_nothing_that_it_may_not_use(layer: str) -> None:
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code, *modules_of(layer)], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert FORBIDDEN[layer] & set(result.stdout.split()) == set()


def test_every_layer_has_modules() -> None:
    assert all(len(modules_of(layer)) > 1 for layer in FORBIDDEN if layer != "cli")


@pytest.mark.parametrize("layer", ROOMS)
def test_rooms_import_only_those_below(layer: str) -> None:
    rooms = ROOMS[layer]
    folder = Path(loftr_ros.__path__[0]) / layer
    assert {path.name for path in folder.iterdir() if (path / "__init__.py").exists()} == set(rooms)
    for rank, room in enumerate(rooms):
        for path in (folder / room).rglob("*.py"):
            imported = re.findall(rf"^\s*from loftr_ros\.{layer}\.(\w+)", path.read_text(), re.MULTILINE)
            assert not set(rooms[rank + 1 :]) & set(imported), path


def test_no_folder_is_crowded() -> None:
    folders = {path.parent for path in Path(loftr_ros.__path__[0]).rglob("*.py")}
    assert len(folders) > 20
    for folder in folders:
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MAX_MODULES, folder
