"""The synchronizers of message_filters, or else our own."""

try:
    from message_filters import ApproximateTimeSynchronizer, SimpleFilter, TimeSynchronizer
except ImportError:
    from loftr_ros.ros.compat.plain_filters import ApproximateTimeSynchronizer, SimpleFilter, TimeSynchronizer

__all__ = ["ApproximateTimeSynchronizer", "SimpleFilter", "TimeSynchronizer"]
