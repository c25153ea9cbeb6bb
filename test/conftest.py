"""Shared fixtures, and the marking and order of slow tests."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

BENCH = Path(__file__).resolve().parents[1] / "bench"
# Tests that `make quick` skips: they train, render, install, measure, or start programs.
SLOW_PLACES = {
    "bench",
    "demo",
    "examples",
    "fuzz",
    "training",
    "test_colcon.py",
    "test_consistency.py",
    "test_damaged_files.py",
    "test_determinism.py",
    "test_disparity_bias.py",
    "test_evaluate.py",
    "test_fixed_shapes.py",
    "test_metric_odometry.py",
    "test_motion_limits.py",
    "test_no_depth.py",
    "test_packaging.py",
    "test_parity.py",
    "test_precision.py",
    "test_recovery.py",
    "test_recovery_images.py",
    "test_robustness.py",
    "test_resume.py",
    "test_run.py",
    "test_run_input.py",
    "test_run_many.py",
    "test_run_places.py",
    "test_train.py",
    "test_unwritable_places.py",
    "test_visual_odometry.py",
    "test_without_values.py",
}
# Half a minute or more on one core: first, so that at the end no process runs one while the others have nothing to do.
LONGEST = {
    "test_colcon.py",
    "test_demo.py",
    "test_distributed.py",
    "test_gpu_script.py",
    "test_run_recorded.py",
    "test_speed.py",
}
SLOW_FIXTURES = {"recorded", "loftr_ros_program", "ros"}

Program = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests, and put the longest first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
    here = Path(__file__).parent
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if SLOW_FIXTURES & fixtures or SLOW_PLACES & set(item.path.relative_to(here).parts):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def recorded() -> Callable[[str], Path]:
    """Find recorded data by its path under LOFTR_ROS_DATA; skip the test where there is none."""

    def find(name: str) -> Path:
        root = os.environ.get("LOFTR_ROS_DATA")
        if not root:
            pytest.skip("LOFTR_ROS_DATA is not set: no recorded data here")
        path = Path(root) / name
        if not path.exists():
            pytest.skip(f"LOFTR_ROS_DATA has no {name}")
        return path

    return find


@pytest.fixture
def loftr_ros_program() -> Program:
    """Run `loftr-ros ARGUMENTS` as a process and return its output."""

    def run(*arguments: object, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "loftr_ros.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    return run


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of bench/ as its script does."""
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module


@pytest.fixture
def texture() -> NDArray[np.uint8]:
    """A (200, 320) gray image with structure at many scales."""
    rng = np.random.default_rng(5)
    image = np.zeros((200, 320))
    for size in (4, 10, 40):
        image += np.kron(rng.random((200 // size, 320 // size)), np.ones((size, size)))
    return np.asarray(255 * image / image.max(), np.uint8)


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Use one torch thread: small tensors gain nothing from more, and parallel tests lose."""
    import torch  # not for every test: it takes seconds

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
