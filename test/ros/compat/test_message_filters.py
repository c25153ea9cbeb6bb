"""Pairs by stamp: what the node relies on, of our part of message_filters and of that of ROS."""

from types import SimpleNamespace

import pytest
from builtin_interfaces.msg import Time


class Pairs:
    """A synchronizer of two sources, and what it put out."""

    def __init__(self, filters, kind, **options):
        sources = [filters.SimpleFilter(), filters.SimpleFilter()]
        self.left, self.right = (lambda ms, s=source: s.signalMessage(message(ms)) for source in sources)
        self.found = []
        getattr(filters, kind)(sources, **options).registerCallback(
            lambda a, b: self.found.append((a.stamp_ms, b.stamp_ms))
        )


def message(stamp_ms):
    stamp = Time(sec=stamp_ms // 1000, nanosec=stamp_ms % 1000 * 10**6)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), stamp_ms=stamp_ms)


def test_equal_stamps_make_a_pair_in_either_order_of_arrival(filters):
    pairs = Pairs(filters, "TimeSynchronizer", queue_size=5)
    pairs.left(1000)
    assert pairs.found == []
    pairs.right(1000)
    pairs.right(2000)
    pairs.left(2000)
    assert pairs.found == [(1000, 1000), (2000, 2000)]


def test_a_message_is_used_once(filters):
    pairs = Pairs(filters, "TimeSynchronizer", queue_size=5)
    for put in (pairs.left, pairs.right, pairs.right):
        put(1000)
    assert pairs.found == [(1000, 1000)]


def test_exact_wants_equal_stamps(filters):
    pairs = Pairs(filters, "TimeSynchronizer", queue_size=5)
    pairs.left(1000)
    pairs.right(1001)
    assert pairs.found == []


@pytest.mark.parametrize(
    ("right", "found"), [(1009, [(1000, 1009)]), (991, [(1000, 991)]), (1010, []), (990, []), (1011, []), (989, [])]
)
def test_approximate_takes_what_is_nearer_than_the_slop(filters, right, found):
    pairs = Pairs(filters, "ApproximateTimeSynchronizer", queue_size=5, slop=0.010)
    pairs.left(1000)
    pairs.right(right)
    assert pairs.found == found


def test_approximate_takes_the_nearest(filters):
    pairs = Pairs(filters, "ApproximateTimeSynchronizer", queue_size=5, slop=0.050)
    for stamp in (1000, 1030, 1060):
        pairs.left(stamp)
    pairs.right(1033)
    assert pairs.found == [(1030, 1033)]


def test_cameras_that_run_freely_are_paired_all_along(filters):
    pairs = Pairs(filters, "ApproximateTimeSynchronizer", queue_size=10, slop=0.020)
    for index in range(5):
        pairs.left(1000 + 100 * index)
        pairs.right(1013 + 100 * index)
    assert pairs.found == [(1000 + 100 * i, 1013 + 100 * i) for i in range(5)]


@pytest.mark.parametrize("kind", ["TimeSynchronizer", "ApproximateTimeSynchronizer"])
def test_the_queue_is_bounded_and_forgets_the_earliest(filters, kind):
    pairs = Pairs(filters, kind, queue_size=2, **({"slop": 0.01} if kind.startswith("A") else {}))
    for stamp in (1000, 2000, 3000):
        pairs.left(stamp)
    for stamp in (1000, 2000, 3000):
        pairs.right(stamp)
    assert pairs.found == [(2000, 2000), (3000, 3000)]
    for stamp in (9000, 9100, 500):  # why it is rebuilt when time jumps back
        pairs.left(stamp)
    pairs.right(500)
    assert pairs.found == [(2000, 2000), (3000, 3000)]
