"""Depth images delayed against the color images with the same stamps."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.matcher import load_matcher
from loftr_ros.odometry.checks.input_fault import InputFault
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.visual_odometry import VisualOdometry
from loftr_ros.sequences.formats import open_sequence


@pytest.fixture(scope="module")
def matcher() -> Any:
    return load_matcher("compact", "cpu", ComputeBudget(120000, 0), "auto")


@pytest.mark.parametrize(
    ("first", "delay", "words"), [(60, 0, ""), (20, 0, ""), (60, 1, "about 1 frame before"), (20, 3, "frames before")]
)
def test_corridor(recorded: Callable[[str], Path], matcher: Any, first: int, delay: int, words: str) -> None:
    sequence = open_sequence(recorded("tum/tartanair_corridor"), "rgbd")
    odometry: VisualOdometry[Any] = VisualOdometry(matcher, OdometryConfig(mode="rgbd"))
    for index in range(first, first + 14):
        estimate = odometry.process(replace(sequence[index], depth=sequence[index - delay].depth))
    said = {warning.fault: warning.text for warning in estimate.input_warnings}
    assert set(said) == ({InputFault.DEPTH_TIMES} if words else set())
    assert words in said.get(InputFault.DEPTH_TIMES, "")
