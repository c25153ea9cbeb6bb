"""`from loftr_ros import ...`: all that is promised is there, typed, and loaded only when it is used."""

import inspect
import subprocess
import sys

import pytest

import loftr_ros

HEAVY = {"torch", "cv2", "numpy", "scipy", "matplotlib", "rclpy"}


def test_all_that_is_promised_is_there_and_documented() -> None:
    assert list(loftr_ros.__all__) == sorted(loftr_ros.__all__)
    assert set(loftr_ros.__all__) == set(loftr_ros._MODULES) <= set(dir(loftr_ros))
    for name in loftr_ros.__all__:
        value = getattr(loftr_ros, name)
        assert value.__name__ == name
        assert value.__module__ == f"loftr_ros.{loftr_ros._MODULES[name]}"
        assert inspect.getdoc(value)


def test_the_import_alone_loads_nothing_heavy() -> None:
    code = "import sys, loftr_ros; dir(loftr_ros); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert HEAVY & set(result.stdout.split()) == set()


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'VisualOdometri'"):
        loftr_ros.VisualOdometri  # noqa: B018
