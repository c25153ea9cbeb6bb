from collections.abc import Callable
from dataclasses import replace
from typing import Any

from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
from loftr_ros.odometry.states import LostReason, TrackingState


def test_a_limit_holds_from_the_next_frame_on_and_can_be_lifted(
    make_world: Callable[..., Any], curve: Callable[..., Any]
) -> None:
    config = OdometryConfig(mode="stereo", subpixel_refinement=False, relocalization_keyframes=0)
    world = make_world(curve(6))
    odometry: MetricOdometry[Any] = MetricOdometry(world, config)
    frames = list(world.frames())
    found = [odometry.process(frame) for frame in frames[:3]]
    odometry.reconfigure(replace(config, max_speed=0.01))
    found.append(odometry.process(frames[3]))
    odometry.reconfigure(config)
    found.append(odometry.process(frames[4]))
    assert [e.state for e in found[1:]] == [TrackingState.TRACKING] * 2 + [TrackingState.LOST, TrackingState.TRACKING]
    assert found[3].lost_reason is LostReason.IMPOSSIBLE_MOTION
