"""Transforms from TF: one buffer and one listener of a node for all that look transforms up."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time

from loftr_ros.odometry.geometry import se3
from loftr_ros.ros.compat import tf2


class TfLookup:
    """Subscribes to TF while somebody needs it: /tf takes a good part of a core on a busy robot, /tf_static little.

    May be used from any thread.
    """

    def __init__(self, node: Node) -> None:
        """Start without subscriptions."""
        self._node = node
        self._lock = Lock()
        self._buffer: Any = tf2.Buffer() if tf2.is_installed else None
        self._listener: Any = None
        self._is_moving_heard = False
        self._users: dict[object, bool] = {}  # and whether they need moving transforms
        self._is_closed = False

    @property
    def is_installed(self) -> bool:
        """Whether tf2_ros is installed; without it no transform is found."""
        return self._buffer is not None

    def listen(self, user: object) -> None:
        """Subscribe to moving and static transforms, on behalf of `user`."""
        self._set(user, moving=True)

    def keep_static(self, user: object) -> None:
        """Unsubscribe from moving transforms, unless another user needs them."""
        self._set(user, moving=False)

    def release(self, user: object) -> None:
        """Unsubscribe, unless another user needs transforms."""
        self._set(user, moving=None)

    def close(self) -> None:
        """Unsubscribe, whoever needs transforms, for good."""
        with self._lock:
            self._is_closed = True
            self._users.clear()
            self._update()

    def find(self, target: str, source: str) -> NDArray[np.float64] | None:
        """Return the latest T_target_source (4, 4), or None if TF does not have it."""
        if self._buffer is None or not self._buffer.can_transform(target, source, Time()):
            return None
        transform = self._buffer.lookup_transform(target, source, Time()).transform
        p, q = transform.translation, transform.rotation
        return se3.from_quaternion([q.x, q.y, q.z, q.w], [p.x, p.y, p.z])

    def _set(self, user: object, moving: bool | None) -> None:
        with self._lock:
            self._users.pop(user, None)
            if moving is not None and not self._is_closed:
                self._users[user] = moving
            self._update()

    def _update(self) -> None:
        """Subscribe to what the users need."""
        if self._buffer is None:
            return
        moving = any(self._users.values())
        if self._listener and (not self._users or moving > self._is_moving_heard):
            self._listener.unregister()
            self._listener = None
        if self._users and self._listener is None:
            self._listener = tf2.TransformListener(self._buffer, self._node)
            self._is_moving_heard = True
        if self._listener and not moving and self._is_moving_heard:
            self._node.destroy_subscription(self._listener.tf_sub)
            self._is_moving_heard = False
