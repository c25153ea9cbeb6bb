"""The parts of tf2_ros that the node uses; None where it is not installed."""

from __future__ import annotations

from typing import Any

try:
    import tf2_ros
except ImportError:
    tf2_ros = None

is_installed = tf2_ros is not None
Buffer: Any = getattr(tf2_ros, "Buffer", None)
TransformBroadcaster: Any = getattr(tf2_ros, "TransformBroadcaster", None)
TransformListener: Any = getattr(tf2_ros, "TransformListener", None)
