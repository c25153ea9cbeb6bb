"""Where the camera sits: TF or parameters; with a TF of paper."""

from types import SimpleNamespace

import numpy as np
import pytest

from loftr_ros.ros import extrinsic
from loftr_ros.ros.extrinsic import Extrinsic, ExtrinsicError
from loftr_ros.ros.frames import camera_in_base
from loftr_ros.ros.parameters import VoParameters


class PaperNode:
    """Keeps what is logged."""

    def __init__(self):
        self.infos, self.warnings = [], []

    def get_logger(self):
        return SimpleNamespace(info=self.infos.append, warning=self.warnings.append)


class PaperTf:
    """Takes the place of tf2_ros, with one transform: 2 m ahead of base_link, turned as optical frames are."""

    def __init__(self, knows=True):
        self.knows, self.asked, self.listeners = knows, [], 0

    def Buffer(self):
        return self

    def TransformListener(self, buffer, node):
        self.listeners += 1
        return SimpleNamespace(unregister=self.unregister)

    def unregister(self):
        self.listeners -= 1

    def can_transform(self, target, source, _):
        self.asked.append((target, source))
        return self.knows

    def lookup_transform(self, target, source, _):
        rotation = SimpleNamespace(x=-0.5, y=0.5, z=-0.5, w=0.5)
        return SimpleNamespace(
            transform=SimpleNamespace(translation=SimpleNamespace(x=2.0, y=0.0, z=0.0), rotation=rotation)
        )


@pytest.fixture
def tf(monkeypatch):
    tf = PaperTf()
    monkeypatch.setattr(extrinsic, "tf2_ros", tf)
    monkeypatch.setattr(extrinsic, "_PATIENCE_S", 0.05)
    return tf


@pytest.mark.parametrize("source", ["auto", "tf"])
def test_tf_tells_once_where_the_camera_of_the_images_is(tf, source):
    node = PaperNode()
    found = Extrinsic(node, VoParameters(extrinsic_source=source))
    for _ in range(2):
        np.testing.assert_allclose(found.of("eye"), camera_in_base(2, 0, 0, 0, 0, 0), atol=1e-12)
    assert tf.asked == [("base_link", "eye")]
    assert node.infos == ["eye on base_link: taken from TF"]
    found.close()
    assert tf.listeners == 0


@pytest.mark.parametrize("parameters", [{"camera_x": 1.0}, {"camera_x": 1.0, "extrinsic_source": "parameters"}])
def test_parameters_that_are_given_win(tf, parameters):
    found = Extrinsic(PaperNode(), VoParameters(**parameters))
    np.testing.assert_allclose(found.of("eye"), camera_in_base(1, 0, 0, 0, 0, 0))
    assert tf.listeners == 0
    found.close()


def test_auto_takes_the_parameters_where_tf_does_not_know_and_says_so(tf):
    tf.knows = False
    node = PaperNode()
    found = Extrinsic(node, VoParameters())
    np.testing.assert_allclose(found.of("eye"), camera_in_base(0, 0, 0, 0, 0, 0))
    assert len(tf.asked) > 1, "it should have waited"
    (warning,) = node.warnings
    assert "TF does not know eye on base_link" in warning


def test_tf_alone_is_asked_again_at_every_image_until_it_knows(tf):
    tf.knows = False
    found = Extrinsic(PaperNode(), VoParameters(extrinsic_source="tf"))
    for _ in range(2):
        with pytest.raises(ExtrinsicError, match="TF does not know eye on base_link: publish"):
            found.of("eye")
    tf.knows = True
    np.testing.assert_allclose(found.of("eye"), camera_in_base(2, 0, 0, 0, 0, 0), atol=1e-12)


def test_where_tf_is_not_installed_it_cannot_be_asked_for(monkeypatch):
    monkeypatch.setattr(extrinsic, "tf2_ros", None)
    with pytest.raises(ExtrinsicError, match="tf2_ros is not installed"):
        Extrinsic(PaperNode(), VoParameters(extrinsic_source="tf"))
    found = Extrinsic(PaperNode(), VoParameters())
    np.testing.assert_allclose(found.of("eye"), camera_in_base(0, 0, 0, 0, 0, 0))
