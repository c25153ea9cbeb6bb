"""Dependencies point one way: each layer is imported in a fresh process, and must not load what it may not use."""

import pkgutil
import subprocess
import sys

import pytest

import loftr_ros

FORBIDDEN = {
    "loftr": {"cv2", "rclpy", "matplotlib", "loftr_ros.odometry", "loftr_ros.sequences", "loftr_ros.download"},
    "odometry": {"torch", "rclpy", "matplotlib", "loftr_ros.loftr", "loftr_ros.sequences"},
    "sequences": {"torch", "rclpy", "matplotlib", "loftr_ros.loftr"},
    "checkup": {"torch", "rclpy", "matplotlib", "rich", "loftr_ros.loftr"},
    "training": {"rclpy", "matplotlib", "h5py", "tensorboard"},
    "commands": {"torch", "cv2", "numpy", "rclpy", "matplotlib", "rich"},
    "cli": {"torch", "cv2", "numpy", "rclpy", "matplotlib", "rich"},
}


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
