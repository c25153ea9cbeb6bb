"""Wheel odometry as it comes in; with a node of paper."""

from types import SimpleNamespace

import numpy as np
import pytest
from nav_msgs.msg import Odometry

from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.wheel_subscriber import WheelInput
from loftr_ros.ros.transforms.frames import camera_in_base

AT_THE_ORIGIN = camera_in_base(0, 0, 0, 0, 0, 0)


class PaperNode:
    """Takes the place of the node: keeps the subscriptions."""

    def __init__(self):
        self.subscriptions, self.publishers = {}, []

    def create_subscription(self, kind, topic, callback, qos):
        self.subscriptions[topic] = callback
        return SimpleNamespace(topic_name=f"/loftr/{topic}")

    def get_publishers_info_by_topic(self, topic):
        return self.publishers

    def destroy_subscription(self, subscription):
        del self.subscriptions[subscription.topic_name.removeprefix("/loftr/")]


def odometry(stamp_ns, x):
    message = Odometry()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message.pose.pose.position.x = x
    return message


def test_positions_arrive_with_their_stamps_until_it_is_closed():
    node = PaperNode()
    wheels = WheelInput(node, VoParameters(wheel_odometry_topic="odom"))
    for stamp_ns, x in ((10**9, 1.0), (10**9 + 10**8, float("nan")), (10**9 + 2 * 10**8, 3.0)):
        node.subscriptions["odom"](odometry(stamp_ns, x))
    wheels.update(AT_THE_ORIGIN, 10**9)
    np.testing.assert_allclose(wheels.positions.position(10**9 + 10**8), [2.0, 0.0, 0.0])
    wheels.close()
    assert node.subscriptions == {}


def test_the_position_is_that_of_the_camera():
    node = PaperNode()
    wheels = WheelInput(node, VoParameters())
    message = odometry(10**9, 2.0)
    message.pose.pose.orientation.w = message.pose.pose.orientation.z = np.sqrt(0.5)  # a quarter turn to the left
    node.subscriptions["wheel_odometry"](message)
    assert wheels.positions.position(10**9) is None, "nobody has told where it sits"
    wheels.update(camera_in_base(0.5, 0.1, 1.0, 0.0, 0.3, 0.0), 10**9)
    np.testing.assert_allclose(wheels.positions.position(10**9), [1.9, 0.5, 1.0])


@pytest.mark.parametrize("w", [0.0, 1e-320, 1e-200, 1e200, float("nan"), float("inf")])
def test_a_message_without_orientation_is_none(w):
    node = PaperNode()
    wheels = WheelInput(node, VoParameters())
    message = odometry(10**9, 2.0)
    message.pose.pose.orientation.w = w
    node.subscriptions["wheel_odometry"](message)
    wheels.update(AT_THE_ORIGIN, 10**9)
    assert wheels.positions.position(10**9) is None


def test_silence_is_told_in_one_sentence(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("loftr_ros.ros.sensors.wheel_subscriber.time", SimpleNamespace(monotonic=lambda: now[0]))
    node = PaperNode()
    wheels = WheelInput(node, VoParameters(input_timeout=2.0))
    assert wheels.warning() is None
    now[0] += 2.5
    assert "no valid wheel odometry on /loftr/wheel_odometry for 2 s" in wheels.warning()
    node.subscriptions["wheel_odometry"](odometry(10**9, 1.0))
    assert wheels.warning() is None


@pytest.mark.parametrize("x", [1e30, -1e300, float("inf")])
def test_a_position_of_no_robot_is_none(x):
    node = PaperNode()
    wheels = WheelInput(node, VoParameters())
    node.subscriptions["wheel_odometry"](odometry(10**9, x))
    wheels.update(AT_THE_ORIGIN, 10**9)
    assert wheels.positions.position(10**9) is None


def test_jumps_are_told_for_ten_seconds(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("loftr_ros.ros.sensors.wheel_subscriber.time", SimpleNamespace(monotonic=lambda: now[0]))
    node = PaperNode()
    wheels = WheelInput(node, VoParameters(input_timeout=60.0))
    put = node.subscriptions["wheel_odometry"]
    put(odometry(10**9, 0.0))
    put(odometry(10**9 + 10**8, 9.0))
    put(odometry(5 * 10**8, 0.0))  # time goes back, as in a recording that starts over
    assert wheels.warning() is None
    put(odometry(6 * 10**8, 50.0))
    told = (
        "the wheel odometry on /loftr/wheel_odometry jumps by 50 m in 0.1 s, so the scale is not measured across it: "
    )
    assert wheels.warning() == told + "check that it is in meters, and does not start over"
    node.publishers = [SimpleNamespace(node_namespace="/", node_name=name) for name in ("wheels", "bag")]
    assert "2 nodes publish /loftr/wheel_odometry (/bag, /wheels)" in wheels.warning()
    now[0] += 10.5
    assert wheels.warning() is None


@pytest.mark.parametrize(("image_s", "told"), [(8, None), (-2, None), (100, "97 s before"), (-60, "63 s after")])
def test_wheels_of_another_clock_are_told(image_s, told):
    node = PaperNode()
    wheels = WheelInput(node, VoParameters())
    node.subscriptions["wheel_odometry"](odometry(3 * 10**9, 0.0))
    assert wheels.warning() is None
    wheels.update(AT_THE_ORIGIN, image_s * 10**9)
    expected = f"the wheel odometry on /loftr/wheel_odometry is stamped {told} the images, so the scale is not measured"
    assert (wheels.warning() or "").startswith(expected if told else "")
    assert (wheels.warning() is None) == (told is None)
