"""The methods of bench/odometry.py: this odometry with LoFTR, ORB and SIFT matches, and the OpenCV pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matchers import FEATURES, orb, sift
from numpy.typing import NDArray
from opencv_pipeline import OpenCVOdometry

from loftr_ros.matches import Matcher
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState
from loftr_ros.odometry.visual_odometry import VisualOdometry

METHODS = ("loftr", "orb", "sift", "opencv")
OPENCV_THRESHOLD_PX = 1.0


class Estimate(Protocol):
    """The part of an estimate that is evaluated."""

    @property
    def T_odom_camera(self) -> NDArray[np.float64]:
        """(4, 4) pose."""
        ...

    @property
    def state(self) -> TrackingState:
        """Tracking state of the frame."""
        ...


class Odometry(Protocol):
    """Frames in, poses out."""

    def process(self, frame: Frame) -> Estimate:
        """Estimate the pose of the next frame."""
        ...


@dataclass(frozen=True)
class Method:
    """A matcher, and a factory of the odometry on top of it."""

    name: str
    matcher: Matcher[Any]
    start: Callable[[Matcher[Any], Mode], Odometry]


def select_methods(names: list[str], loftr: Matcher[Any], checkpoint: str) -> list[Method]:
    """Return the named methods in the order of `METHODS`."""
    methods = {
        "loftr": Method(f"LoFTR {checkpoint}", loftr, _engine),
        "orb": Method(f"ORB {FEATURES}", orb(), _engine),
        "sift": Method(f"SIFT {FEATURES}", sift(), _engine),
        "opencv": Method(f"SIFT {FEATURES}, OpenCV pipeline", sift(), _opencv),
    }
    return [methods[name] for name in METHODS if name in names]


def _engine(matcher: Matcher[Any], mode: Mode) -> Odometry:
    return VisualOdometry(matcher, OdometryConfig(mode=mode))


def _opencv(matcher: Matcher[Any], mode: Mode) -> Odometry:
    return OpenCVOdometry(matcher, mode, OPENCV_THRESHOLD_PX)
