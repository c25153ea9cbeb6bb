"""Where the camera sits: TF or parameters; with a TF of paper. That of ROS is in test_tf_over_dds.py."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.transforms import extrinsic, tf_lookup
from loftr_ros.ros.transforms.extrinsic import ExtrinsicError
from loftr_ros.ros.transforms.frames import camera_in_base


class PaperNode:
    """Keeps what is logged."""

    def __init__(self):
        self.infos, self.warnings, self.unsubscribed = [], [], []

    def get_logger(self):
        return SimpleNamespace(info=self.infos.append, warning=self.warnings.append)

    def destroy_subscription(self, subscription):
        self.unsubscribed.append(subscription)


def Extrinsic(node, parameters):
    return extrinsic.Extrinsic(node, parameters, tf_lookup.TfLookup(node))


class PaperTf:
    """Takes the place of tf2_ros, with one transform: meters ahead of base_link, turned as optical frames are."""

    is_installed = True

    def __init__(self):
        self.knows, self.ahead, self.asked, self.listeners = True, 2.0, [], 0

    def Buffer(self):
        return self

    def TransformListener(self, buffer, node):
        self.listeners += 1
        return SimpleNamespace(unregister=self.unregister, tf_sub="/tf")

    def unregister(self):
        self.listeners -= 1

    def can_transform(self, target, source, _):
        self.asked.append((target, source))
        return self.knows

    def lookup_transform(self, target, source, _):
        rotation = SimpleNamespace(x=-0.5, y=0.5, z=-0.5, w=0.5)
        return SimpleNamespace(
            transform=SimpleNamespace(translation=SimpleNamespace(x=self.ahead, y=0.0, z=0.0), rotation=rotation)
        )


@pytest.fixture
def tf(monkeypatch):
    tf = PaperTf()
    monkeypatch.setattr(tf_lookup, "tf2", tf)
    monkeypatch.setattr(extrinsic, "_WAIT_S", 0.05)
    return tf


@pytest.mark.parametrize("source", ["auto", "tf"])
def test_tf_tells_where_the_camera_of_the_images_is_and_moving_transforms_are_not_heard_any_more(tf, source):
    node = PaperNode()
    found = Extrinsic(node, VoParameters(extrinsic_source=source))
    assert node.unsubscribed == []
    first = found.of("eye")
    np.testing.assert_allclose(first, camera_in_base(2, 0, 0, 0, 0, 0), atol=1e-12)
    assert found.of("eye") is first
    assert set(tf.asked) == {("base_link", "eye")}
    assert node.infos == ["eye on base_link: taken from TF"]
    assert node.unsubscribed == ["/tf"]
    found._tf.close()
    assert tf.listeners == 0


def test_a_mount_that_changes_in_tf_is_noticed(tf):
    node = PaperNode()
    found = Extrinsic(node, VoParameters())
    first = found.of("eye")
    tf.ahead = 2.5
    second = found.of("eye")
    assert second is not first
    np.testing.assert_allclose(second, camera_in_base(2.5, 0, 0, 0, 0, 0), atol=1e-12)
    assert node.infos[1:] == ["eye on base_link: changed in TF, the odometry continues with it"]
    tf.knows = False
    assert found.of("eye") is second


@pytest.mark.parametrize("source", ["auto", "tf"])
def test_images_of_another_frame_that_tf_does_not_know(tf, source):
    node = PaperNode()
    found = Extrinsic(node, VoParameters(extrinsic_source=source))
    first = found.of("eye")
    tf.knows = False
    for _ in range(2):
        if source == "tf":
            with pytest.raises(ExtrinsicError, match="TF has no transform from other to base_link"):
                found.of("other")
        else:
            assert found.of("other") is first
    assert [warning.endswith("the camera is assumed where 'eye' is") for warning in node.warnings] == (
        [True] if source == "auto" else []
    )
    tf.knows, tf.ahead = True, 3.0
    np.testing.assert_allclose(found.of("other"), camera_in_base(3, 0, 0, 0, 0, 0), atol=1e-12)


def test_a_mount_that_tf_knows_late_is_taken(tf, monkeypatch):
    tf.knows = False
    monkeypatch.setattr(extrinsic, "_LISTEN_S", 0.2)
    node = PaperNode()
    found = Extrinsic(node, VoParameters())
    found.of("eye")
    assert node.unsubscribed == []
    time.sleep(0.2)
    found.of("eye")
    assert node.unsubscribed == ["/tf"]
    tf.knows = True
    np.testing.assert_allclose(found.of("eye"), camera_in_base(2, 0, 0, 0, 0, 0), atol=1e-12)
    assert node.infos == ["eye on base_link: taken from TF instead of assumed, the odometry continues with it"]


@pytest.mark.parametrize(
    ("frame", "base", "reason"),
    [
        ("", "base_link", "the header.frame_id of the images is empty: let the camera's driver set it"),
        ("/eye", "base_link", "the header.frame_id of the images is '/eye', which TF refuses: drop the leading slash"),
        ("eye", "/base_link", "base_frame is '/base_link', which TF refuses: drop the leading slash"),
    ],
)
def test_a_name_that_tf_cannot_know_is_said_so_and_not_asked_for(tf, frame, base, reason):
    with pytest.raises(ExtrinsicError) as refused:
        Extrinsic(PaperNode(), VoParameters(extrinsic_source="tf", base_frame=base)).of(frame)
    assert str(refused.value).startswith(reason)
    node = PaperNode()
    np.testing.assert_allclose(Extrinsic(node, VoParameters(base_frame=base)).of(frame), camera_in_base(*[0] * 6))
    assert [warning.startswith(reason) for warning in node.warnings] == [True]
    assert tf.asked == []


@pytest.mark.parametrize("parameters", [{"camera_x": 1.0}, {"camera_x": 1.0, "extrinsic_source": "parameters"}])
def test_parameters_that_are_given_win(tf, parameters):
    found = Extrinsic(PaperNode(), VoParameters(**parameters))
    np.testing.assert_allclose(found.of("eye"), camera_in_base(1, 0, 0, 0, 0, 0))
    assert tf.listeners == 0


def test_auto_takes_the_parameters_where_tf_does_not_know_and_says_so(tf):
    tf.knows = False
    node = PaperNode()
    found = Extrinsic(node, VoParameters())
    np.testing.assert_allclose(found.of("eye"), camera_in_base(0, 0, 0, 0, 0, 0))
    assert len(tf.asked) > 1, "it should have waited"
    (warning,) = node.warnings
    assert "TF has no transform from eye to base_link" in warning


def test_tf_alone_is_asked_again_at_every_image_until_it_knows(tf):
    tf.knows = False
    found = Extrinsic(PaperNode(), VoParameters(extrinsic_source="tf"))
    for _ in range(2):
        with pytest.raises(ExtrinsicError, match="TF has no transform from eye to base_link: publish"):
            found.of("eye")
    tf.knows = True
    np.testing.assert_allclose(found.of("eye"), camera_in_base(2, 0, 0, 0, 0, 0), atol=1e-12)


def test_where_tf_is_not_installed_it_cannot_be_asked_for(monkeypatch):
    monkeypatch.setattr(tf_lookup, "tf2", SimpleNamespace(is_installed=False))
    with pytest.raises(ExtrinsicError, match="tf2_ros is not installed"):
        Extrinsic(PaperNode(), VoParameters(extrinsic_source="tf"))
    found = Extrinsic(PaperNode(), VoParameters())
    np.testing.assert_allclose(found.of("eye"), camera_in_base(0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("start", ["", "/"])
def test_names_of_frames_are_quoted_in_a_line_of_bounded_length(tf, start):
    """They come from other programs: a line break or a control sequence would forge the log."""
    tf.knows, node = False, PaperNode()
    name = f"{start}eye\n[ERROR] \x1b[31m" + 5000 * "x"
    Extrinsic(node, VoParameters()).of(name)
    with pytest.raises(ExtrinsicError) as error:
        Extrinsic(node, VoParameters(extrinsic_source="tf")).of(name)
    tf.knows = True
    Extrinsic(node, VoParameters()).of(name)
    assert (len(node.warnings), len(node.infos)) == ((2, 0) if start else (1, 1))
    for text in (str(error.value), *node.warnings, *node.infos):
        assert text.isprintable()
        assert "eye [ERROR]" in text
        assert len(text) < 500
