"""The simulated world, for all tests of the odometry."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.geometry import se3


def _load(name: str) -> ModuleType:
    """Import a module that lies beside this file, which is no package."""
    spec = importlib.util.spec_from_file_location(f"odometry_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


_simulator = _load("simulator")


@pytest.fixture
def simulator() -> ModuleType:
    """The module `simulator`."""
    return _simulator


@pytest.fixture
def make_world() -> Callable[..., Any]:
    """The class `simulator.World`."""
    return _simulator.World  # type: ignore[no-any-return]


@pytest.fixture
def curve() -> Callable[..., list[NDArray[np.float64]]]:
    """Poses of a camera that moves forward in a curve: steps of (v, w) in its own axes."""

    def make(count: int, step: tuple[float, ...] = (0.03, 0.0, 0.12, 0.0, 0.02, 0.004)) -> list[NDArray[np.float64]]:
        poses = [se3.transform(np.eye(3), [-1.0, 0.3, -4.0])]
        for _ in range(count - 1):
            poses.append(poses[-1] @ se3.exp(np.array(step)))
        return poses

    return make
