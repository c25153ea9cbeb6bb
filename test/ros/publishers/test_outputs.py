"""What is published, and what only while somebody looks; with a node of paper."""

from types import SimpleNamespace

import numpy as np
import pytest

from loftr_ros.evaluation.trajectory import read_tum
from loftr_ros.matches import Matches
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.inverse_depth import CellDepths
from loftr_ros.odometry.mapping.landmarks import Landmarks
from loftr_ros.odometry.states import TrackingState
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.publishers import outputs
from loftr_ros.ros.publishers.trajectory_log import TrajectoryLog, TrajectoryLogError
from loftr_ros.ros.transforms import tf_lookup

CAMERA = Camera(80, 60, np.diag([50.0, 50, 1]))


@pytest.fixture(autouse=True)
def without_tf2(monkeypatch):
    """An installed tf2_ros wants more of a node than paper has."""
    absent = SimpleNamespace(is_installed=False)
    monkeypatch.setattr(outputs, "tf2", absent)
    monkeypatch.setattr(tf_lookup, "tf2", absent)


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


PAPER_TF2 = SimpleNamespace(is_installed=True, TransformBroadcaster=PaperBroadcaster)


def show(out, index, state=TrackingState.TRACKING, forward=0.0):
    """Publish a frame whose camera looks along x of odom and is so far forward."""
    frame = Frame(index * 10**8, np.full((60, 80), 100, np.uint8), CAMERA)
    matches = Matches(np.full((2, 2), 9, "f4"), np.full((2, 2), 20, "f4"), np.ones(2, "f4"), np.arange(2))
    estimate = OdometryEstimate(
        frame.stamp_ns, se3.transform(np.eye(3), [0, 0, forward]), np.eye(6), np.zeros(6), np.eye(6), state, matches,
        np.array([True, False]), frame, 1.5, {}, scale_known=True, is_keyframe=False,
        landmarks=Landmarks(CAMERA, matches, CellDepths.empty(), np.eye(4)),
    )  # fmt: skip
    out.publish(frame, "eye", out.extrinsic.of("eye"), estimate)


def publish(node, count=1, state=TrackingState.TRACKING, **parameters):
    out = outputs.Outputs(node, VoParameters(**parameters))
    for index in range(count):
        show(out, index, state)
    return out


def test_without_subscribers_there_is_only_odometry():
    node = PaperNode()
    publish(node, publish_tf=False)
    assert {topic: len(sent) for topic, sent in node.published.items()} == {
        "odometry": 1,
        "matches": 0,
        "points": 0,
        "match_image": 0,
        "path": 0,
    }


@pytest.mark.parametrize("topic", ["matches", "points", "match_image", "path"])
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


def test_the_path_keeps_the_newest_poses():
    node = PaperNode("path")
    publish(node, count=5, path_length=3, publish_tf=False)
    stamps = [pose.header.stamp.nanosec for pose in node.published["path"][-1].poses]
    assert stamps == [2 * 10**8, 3 * 10**8, 4 * 10**8]


def test_the_transform_is_that_of_the_odometry(monkeypatch):
    monkeypatch.setattr(outputs, "tf2", PAPER_TF2)
    node = PaperNode()
    publish(node, odom_frame="o", base_frame="b")
    (transform,) = node.published["tf"]
    assert (transform.header.frame_id, transform.child_frame_id) == ("o", "b")
    assert node.warnings == []


def test_publish_tf_can_be_switched_off_and_on_again(monkeypatch):
    monkeypatch.setattr(outputs, "tf2", PAPER_TF2)
    node = PaperNode()
    out = publish(node, publish_tf=False)
    assert node.published["tf"] == []
    assert node.warnings == []
    out.reconfigure(VoParameters())
    show(out, 1)
    assert len(node.published["tf"]) == 1


def test_the_transform_the_other_way_is_the_inverse(monkeypatch):
    monkeypatch.setattr(outputs, "tf2", PAPER_TF2)
    node = PaperNode()
    publish(node, invert_tf=True, initial_x=2.0, initial_yaw=np.pi / 2)
    (transform,) = node.published["tf"]
    assert (transform.header.frame_id, transform.child_frame_id) == ("base_link", "odom")
    translation, rotation = transform.transform.translation, transform.transform.rotation
    np.testing.assert_allclose([translation.x, translation.y, translation.z], [0, 2, 0], atol=1e-12)
    np.testing.assert_allclose([rotation.z, rotation.w], [-np.sqrt(0.5), np.sqrt(0.5)], atol=1e-12)


def position(node):
    point = node.published["odometry"][-1].pose.pose.position
    return point.x, point.y, point.z


def test_the_base_starts_where_it_is_told_and_carries_on_from_where_it_is():
    node = PaperNode("path")
    out = publish(node, publish_tf=False, initial_x=5.0)
    assert position(node) == (5.0, 0.0, 0.0)
    show(out, 1, forward=2.0)
    assert position(node) == (7.0, 0.0, 0.0)
    out.restart_here()
    show(out, 2)
    assert position(node) == (7.0, 0.0, 0.0)
    assert len(node.published["path"][-1].poses) == 3
    out.restart()
    show(out, 3)
    assert position(node) == (5.0, 0.0, 0.0)
    assert len(node.published["path"][-1].poses) == 1


def test_a_shorter_path_keeps_the_newest_poses():
    node = PaperNode("path")
    out = publish(node, count=5, publish_tf=False)
    out.reconfigure(VoParameters(path_length=2, publish_tf=False))
    show(out, 5)
    stamps = [pose.header.stamp.nanosec for pose in node.published["path"][-1].poses]
    assert stamps == [4 * 10**8, 5 * 10**8]


def test_the_trajectory_is_saved_and_forgotten(tmp_path):
    out = publish(PaperNode(), count=3, publish_tf=False, initial_y=1.0)
    assert out.trajectory.save(tmp_path / "t.tum") == f"wrote the last 3 poses to {tmp_path / 't.tum'}"
    saved = read_tum(tmp_path / "t.tum")
    assert saved.stamps_ns.tolist() == [0, 10**8, 2 * 10**8]
    np.testing.assert_allclose(saved.positions, [[0, 1, 0]] * 3, atol=1e-9)
    with pytest.raises(TrajectoryLogError, match="No such file or directory; set the parameter trajectory_file"):
        out.trajectory.save(tmp_path / "nowhere" / "t.tum")
    out.restart()
    with pytest.raises(TrajectoryLogError, match="no trajectory to save"):
        out.trajectory.save(tmp_path / "t.tum")


def test_an_image_stamped_ahead_costs_one_pose_of_the_trajectory():
    trajectory = TrajectoryLog(10)
    for stamp in (1, 2, 3, 100, 4, 5):
        trajectory.add(stamp, np.eye(4))
    assert trajectory.poses().stamps_ns.tolist() == [1, 2, 3, 4, 5]
    trajectory.add(0, np.eye(4))  # a recording that starts over
    assert trajectory.poses().stamps_ns.tolist() == [0]


def test_the_newest_poses_are_kept():
    trajectory = TrajectoryLog(3)
    for stamp in range(8):
        trajectory.add(stamp, stamp * np.eye(4))
    poses = trajectory.poses()
    assert poses.stamps_ns.tolist() == [5, 6, 7]
    assert poses.poses[:, 0, 0].tolist() == [5.0, 6.0, 7.0]
    trajectory.add(6, np.zeros((4, 4)))  # replaces two; the older ones are not there any more
    assert trajectory.poses().stamps_ns.tolist() == [5, 6]
    trajectory.clear()
    assert len(trajectory.poses()) == 0


def test_one_warning_where_tf2_is_missing():
    node = PaperNode()
    publish(node, count=4)
    assert len(node.warnings) == 1
    assert "tf2_ros is not installed" in node.warnings[0]


@pytest.mark.parametrize(("publish_lost", "count"), [(True, 1), (False, 0)])
def test_a_prediction_is_published_or_not(monkeypatch, publish_lost, count):
    monkeypatch.setattr(outputs, "tf2", PAPER_TF2)
    node = PaperNode("path", "matches")
    publish(node, state=TrackingState.LOST, publish_lost=publish_lost)
    assert {topic: len(sent) for topic, sent in node.published.items()} == {
        "odometry": count,
        "tf": count,
        "path": count,
        "matches": 1,
        "points": 0,
        "match_image": 0,
    }
