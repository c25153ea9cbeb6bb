"""What the diagnostics count and say."""

import time
from dataclasses import replace

import numpy as np
import pytest

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfigError
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.states import LostReason, TrackingState
from loftr_ros.ros.publishers.diagnostics import Statistics, user_message


def estimate(state, reason=None):
    return OdometryEstimate(
        0, np.eye(4), np.eye(6), np.zeros(6), np.eye(6), state, Matches.empty(),
        np.zeros(0, bool), None, 0.0, {}, scale_known=True, is_keyframe=False, lost_reason=reason,
    )  # fmt: skip


@pytest.mark.parametrize("reason", LostReason)
def test_a_loss_has_a_reason_until_it_is_over(reason):
    statistics = Statistics()
    assert statistics.diagnostics()["state"] == "waiting for images"
    assert statistics.diagnostics()["remarks"] == ""
    statistics.frame_processed(estimate(TrackingState.LOST, reason), time.monotonic())
    assert statistics.state is TrackingState.LOST
    assert statistics.diagnostics()["remarks"] == statistics.lost_because == reason.value != ""
    statistics.frame_processed(estimate(TrackingState.TRACKING), time.monotonic())
    assert statistics.diagnostics()["remarks"] == ""


def test_frames_are_counted_and_timed():
    statistics = Statistics()
    for _ in range(3):
        statistics.frame_received()
    statistics.frame_dropped()
    for seconds in (0.1, 0.3):
        statistics.frame_processed(estimate(TrackingState.TRACKING), time.monotonic() - seconds)
    values = statistics.diagnostics()
    assert (values["received"], values["processed"], values["dropped"]) == ("3", "2", "1")
    assert 190 < float(values["processing mean (ms)"]) < 300
    assert 290 < float(values["processing max (ms)"]) < 400
    assert values["scale known"] == "true"


def test_latency_is_by_the_clock_of_the_stamps_and_unknown_by_another():
    now = 10**18
    statistics = Statistics(lambda: now)
    for milliseconds in (30, 10, 20):
        found = replace(estimate(TrackingState.TRACKING), stamp_ns=now - milliseconds * 10**6)
        statistics.frame_processed(found, time.monotonic())
    values = statistics.diagnostics()
    shown = [values[f"latency {what} (ms)"] for what in ("last", "mean", "max")]
    assert shown == ["20.0", "20.0", "30.0"]
    recorded = Statistics(lambda: now)
    recorded.frame_processed(estimate(TrackingState.TRACKING), time.monotonic())
    assert recorded.diagnostics()["latency (ms)"] == "unknown"


def test_a_keyframe_ages_until_the_next():
    statistics = Statistics()
    for index, is_keyframe in enumerate([True, False, False, True]):
        found = replace(estimate(TrackingState.TRACKING), stamp_ns=index * 10**9, is_keyframe=is_keyframe)
        statistics.frame_processed(found, time.monotonic())
        assert statistics.diagnostics()["keyframe age (s)"] == ("0.00" if is_keyframe else f"{index}.00")


def test_errors_of_the_user_are_sentences_and_others_are_ours():
    assert user_message(OdometryConfigError("max_speed is 0.")) == "max_speed is 0."
    assert user_message(KeyError("x")).startswith("internal error, KeyError")
    assert len(user_message(OdometryConfigError("x" * 5000))) == 1000
