"""Who drives: the odometry fed by LoFTR, by ORB and by SIFT, and the plain recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from methods import FEATURES, orb, sift
from numpy.typing import NDArray
from plain_recipe import PlainOdometry

from loftr_ros.matches import Matcher
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState
from loftr_ros.odometry.visual_odometry import VisualOdometry

METHODS = ("loftr", "orb", "sift", "plain")
PLAIN_THRESHOLD_PX = 1.0


class Estimate(Protocol):
    """What is judged of a frame."""

    @property
    def T_odom_camera(self) -> NDArray[np.float64]:
        """(4, 4) pose."""
        ...

    @property
    def state(self) -> TrackingState:
        """How the pose came about."""
        ...


class Odometry(Protocol):
    """Frames in, poses out."""

    def process(self, frame: Frame) -> Estimate:
        """Estimate the pose of the next frame."""
        ...


@dataclass(frozen=True)
class Contestant:
    """A matcher, and how to make an odometry of it for a mode."""

    name: str
    matcher: Matcher[Any]
    start: Callable[[Matcher[Any], Mode], Odometry]


def contestants(methods: list[str], loftr: Matcher[Any], checkpoint: str) -> list[Contestant]:
    """Those of `METHODS` that are asked for, in that order."""
    everyone = {
        "loftr": Contestant(f"LoFTR {checkpoint}", loftr, _engine),
        "orb": Contestant(f"ORB {FEATURES}", orb(), _engine),
        "sift": Contestant(f"SIFT {FEATURES}", sift(), _engine),
        "plain": Contestant(f"SIFT {FEATURES}, plain recipe", sift(), _plain),
    }
    return [everyone[method] for method in METHODS if method in methods]


def _engine(matcher: Matcher[Any], mode: Mode) -> Odometry:
    return VisualOdometry(matcher, OdometryConfig(mode=mode))


def _plain(matcher: Matcher[Any], mode: Mode) -> Odometry:
    return PlainOdometry(matcher, mode, PLAIN_THRESHOLD_PX)
