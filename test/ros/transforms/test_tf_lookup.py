"""One listener of TF for all who need transforms; with a TF of paper."""

from types import SimpleNamespace

import pytest

from loftr_ros.ros.transforms import tf_lookup
from loftr_ros.ros.transforms.tf_lookup import TfLookup


class PaperTf:
    """Takes the place of tf2_ros and of the node: counts what is subscribed to."""

    is_installed = True

    def __init__(self):
        self.moving = self.static = self.made = 0

    def Buffer(self):
        self.made += 1
        return SimpleNamespace(can_transform=lambda *_: False)

    def TransformListener(self, buffer, node):
        self.moving, self.static = self.moving + 1, self.static + 1
        listener = SimpleNamespace(tf_sub=object())
        listener.unregister = lambda: self.unregister(listener)
        return listener

    def unregister(self, listener):
        self.destroy_subscription(listener.tf_sub)
        self.static -= 1

    def destroy_subscription(self, subscription):
        """Of a subscription that is destroyed already, nothing happens, as with rclpy."""
        if subscription not in self.destroyed:
            self.destroyed.append(subscription)
            self.moving -= 1

    @property
    def destroyed(self):
        return self.__dict__.setdefault("gone", [])


@pytest.fixture
def tf(monkeypatch):
    tf = PaperTf()
    monkeypatch.setattr(tf_lookup, "tf2", tf)
    return tf


def heard(tf):
    return tf.moving, tf.static


def test_nothing_is_subscribed_to_until_somebody_needs_it(tf):
    lookup = TfLookup(tf)
    assert heard(tf) == (0, 0)
    assert lookup.find("base", "camera") is None
    lookup.listen("camera")
    assert heard(tf) == (1, 1)
    lookup.release("camera")
    assert heard(tf) == (0, 0)


def test_all_users_share_one_listener_and_moving_transforms_are_heard_while_one_needs_them(tf):
    lookup = TfLookup(tf)
    lookup.listen("camera")
    lookup.listen("baseline")
    assert heard(tf) == (1, 1)
    lookup.keep_static("camera")
    assert heard(tf) == (1, 1)
    lookup.release("baseline")
    assert heard(tf) == (0, 1)
    lookup.listen("baseline")
    assert heard(tf) == (1, 1)
    lookup.release("camera")
    assert heard(tf) == (1, 1)
    assert tf.made == 1


def test_after_the_end_nothing_is_heard_whoever_asks(tf):
    lookup = TfLookup(tf)
    lookup.listen("camera")
    lookup.close()
    lookup.listen("baseline")
    assert heard(tf) == (0, 0)


def test_without_tf2_nothing_is_found(monkeypatch):
    monkeypatch.setattr(tf_lookup, "tf2", SimpleNamespace(is_installed=False))
    lookup = TfLookup(None)
    lookup.listen("camera")
    assert not lookup.is_installed
    assert lookup.find("base", "camera") is None
    lookup.close()
