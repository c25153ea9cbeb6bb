"""What is published, and what only while somebody looks; with a node of paper."""

from types import SimpleNamespace

import numpy as np
import pytest

from loftr_ros.matches import Matches
from loftr_ros.odometry.camera import Camera
from loftr_ros.odometry.estimate import OdometryEstimate, TrackingState
from loftr_ros.odometry.frame import Frame
from loftr_ros.ros import outputs
from loftr_ros.ros.parameters import VoParameters

CAMERA = Camera(80, 60, np.diag([50.0, 50, 1]))


class PaperNode:
    """Takes the place of the node: keeps what is published, and pretends subscribers."""

    def __init__(self, *subscribed):
        self.subscribed, self.published, self.warnings = subscribed, {}, []

    def create_lifecycle_publisher(self, _, topic, __):
        sent = self.published.setdefault(topic, [])
        return SimpleNamespace(publish=sent.append, get_subscription_count=lambda: int(topic in self.subscribed))

    def get_logger(self):
        return SimpleNamespace(warning=self.warnings.append)


class PaperBroadcaster:
    def __init__(self, node):
        self.sendTransform = node.published.setdefault("tf", []).append


def publish(node, count=1, state=TrackingState.TRACKING, **parameters):
    out = outputs.Outputs(node, VoParameters(**parameters))
    frame = Frame(0, np.full((60, 80), 100, np.uint8), CAMERA)
    matches = Matches(np.full((2, 2), 9, "f4"), np.full((2, 2), 20, "f4"), np.ones(2, "f4"), np.arange(2))
    for index in range(count):
        estimate = OdometryEstimate(
            index * 10**8, np.eye(4), np.eye(6), np.zeros(6), np.eye(6), state, matches,
            np.array([True, False]), frame, 1.5, {}, scale_known=True, is_keyframe=False,
        )  # fmt: skip
        out.publish(Frame(index * 10**8, frame.image, CAMERA), "eye", estimate)
    return out


def test_without_subscribers_there_is_only_odometry():
    node = PaperNode()
    publish(node, publish_tf=False)
    assert {topic: len(sent) for topic, sent in node.published.items()} == {
        "odometry": 1,
        "matches": 0,
        "match_image": 0,
        "path": 0,
    }


@pytest.mark.parametrize("topic", ["matches", "match_image", "path"])
def test_a_subscriber_gets_what_it_asks_for(topic):
    node = PaperNode(topic)
    publish(node, publish_tf=False)
    assert {name for name, sent in node.published.items() if sent} == {"odometry", topic}


def test_images_carry_the_frame_of_the_camera_and_the_stamp():
    node = PaperNode("match_image", "matches")
    publish(node, count=3, publish_tf=False)
    for topic in ("match_image", "matches"):
        header = node.published[topic][-1].header
        assert header.frame_id == "eye"
        assert header.stamp.nanosec == 2 * 10**8


def test_the_path_keeps_the_newest_poses_and_can_be_forgotten():
    node = PaperNode("path")
    out = publish(node, count=5, path_length=3, publish_tf=False)
    stamps = [pose.header.stamp.nanosec for pose in node.published["path"][-1].poses]
    assert stamps == [2 * 10**8, 3 * 10**8, 4 * 10**8]
    out.forget_path()
    assert len(out._poses) == 0


def test_the_transform_is_that_of_the_odometry(monkeypatch):
    monkeypatch.setattr(outputs, "TransformBroadcaster", PaperBroadcaster)
    node = PaperNode()
    publish(node, odom_frame="o", base_frame="b")
    (transform,) = node.published["tf"]
    assert (transform.header.frame_id, transform.child_frame_id) == ("o", "b")
    assert node.warnings == []


def test_publish_tf_can_be_switched_off(monkeypatch):
    monkeypatch.setattr(outputs, "TransformBroadcaster", PaperBroadcaster)
    node = PaperNode()
    publish(node, publish_tf=False)
    assert "tf" not in node.published
    assert node.warnings == []


def test_one_warning_where_tf2_is_missing(monkeypatch):
    monkeypatch.setattr(outputs, "TransformBroadcaster", None)
    node = PaperNode()
    publish(node, count=4)
    assert len(node.warnings) == 1
    assert "tf2_ros is not installed" in node.warnings[0]


@pytest.mark.parametrize(("publish_lost", "count"), [(True, 1), (False, 0)])
def test_a_prediction_is_published_or_not(monkeypatch, publish_lost, count):
    monkeypatch.setattr(outputs, "TransformBroadcaster", PaperBroadcaster)
    node = PaperNode("path", "matches")
    publish(node, state=TrackingState.LOST, publish_lost=publish_lost)
    assert {topic: len(sent) for topic, sent in node.published.items()} == {
        "odometry": count,
        "tf": count,
        "path": count,
        "matches": 1,
        "match_image": 0,
    }
