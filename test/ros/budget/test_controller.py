"""The budget controller, with a matcher of paper."""

from types import SimpleNamespace

import numpy as np
import pytest

from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.matches import Matches
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.states import LostReason, TrackingState
from loftr_ros.ros.budget.controller import BudgetController
from loftr_ros.ros.parameters.table import VoParameters

VGA = 640 * 480


@pytest.fixture
def matcher():
    return SimpleNamespace(budget=ComputeBudget())


def estimate(state, matches):
    points = np.zeros((matches, 2), np.float32)
    lost = LostReason.NO_MOTION_FITS if state is TrackingState.LOST else None
    return OdometryEstimate(
        0, np.eye(4), np.eye(6), np.zeros(6), np.eye(6), state,
        Matches(points, points, np.ones(matches, np.float32), np.arange(matches)), np.ones(matches, bool),
        None, 0.0, {}, scale_known=True, is_keyframe=False, lost_reason=lost,
    )  # fmt: skip


def learned(control, matcher, seconds, frames=20, state=TrackingState.TRACKING, matches=9):
    """Return the budget after frames that took this long."""
    for _ in range(frames):
        control.set_for(VGA)
        control.frame_took(estimate(state, matches), seconds)
    control.set_for(VGA)
    return matcher.budget


def test_the_matcher_works_as_the_parameters_say(matcher):
    control = BudgetController(matcher, VoParameters(max_pixels=200_000, max_matches=500))
    assert learned(control, matcher, 9.0) == ComputeBudget(200_000, 500)
    control.reconfigure(VoParameters(max_pixels=100_000))
    assert learned(control, matcher, 9.0) == ComputeBudget(100_000, 0)
    values = {
        "target rate (Hz)": "none",
        "compute budget (pixels)": "at most 100000",
        "compute budget (matches)": "all",
    }
    assert control.diagnostics() == values


def test_it_tells_when_the_network_sees_fewer_or_more_pixels(matcher):
    control = BudgetController(matcher, VoParameters())
    assert not control.set_for(VGA)
    for parameters, changed in (
        ({"max_pixels": 400_000}, False),
        ({"max_pixels": 200_000}, True),
        ({"max_pixels": 200_000, "max_matches": 500}, False),
        ({}, True),
    ):
        control.reconfigure(VoParameters(**parameters))
        assert control.set_for(VGA) == changed
        assert not control.set_for(VGA)


def test_the_target_rate_is_followed_and_shown_and_forgotten_when_it_changes(matcher):
    parameters = VoParameters(target_rate=10.0, max_matches=800)
    control = BudgetController(matcher, parameters)
    assert learned(control, matcher, 0.5) == ComputeBudget(VGA // 4, 300)
    values = {
        "target rate (Hz)": "10",
        "compute budget (pixels)": "at most 76800",
        "compute budget (matches)": "at most 300",
    }
    assert control.diagnostics() == values
    assert "target_rate is 10 Hz but a frame takes 500 ms" in control.warning()
    control.reconfigure(VoParameters(target_rate=10.0, max_matches=800, max_speed=1.0))
    control.set_for(VGA)
    assert matcher.budget.max_pixels == VGA // 4, "nothing that concerns it has changed"
    control.reconfigure(VoParameters(max_matches=800))
    assert learned(control, matcher, 0.5, frames=6) == ComputeBudget(VoParameters().max_pixels, 800)
    assert control.warning() is None


@pytest.mark.parametrize(("state", "matches"), [(TrackingState.LOST, 9), (TrackingState.INITIALIZING, 0)])
def test_frames_that_tell_nothing_about_the_time_are_passed_over(matcher, state, matches):
    control = BudgetController(matcher, VoParameters(target_rate=10.0))
    assert learned(control, matcher, 0.5, state=state, matches=matches) == ComputeBudget()


def test_memory_that_ran_out_is_a_limit_until_the_parameters_change(matcher):
    parameters = VoParameters(target_rate=10.0)
    control = BudgetController(matcher, parameters)
    control.set_for(VGA)
    matcher.budget = ComputeBudget(VGA // 2)  # as the matcher does by itself
    control.back_off("too little memory")
    assert control.warning() == "too little memory"
    assert learned(control, matcher, 0.01, frames=200) == ComputeBudget(VGA // 2)
    assert learned(control, matcher, 0.5) == ComputeBudget(VGA // 8, 300)
    control.reconfigure(parameters)
    assert control.warning() == "too little memory"
    control.reconfigure(VoParameters())
    assert learned(control, matcher, 0.5, frames=6) == ComputeBudget()
    assert control.warning() is None
