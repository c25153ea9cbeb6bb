"""Our part of message_filters: pairs by stamp."""

from types import SimpleNamespace

import pytest

from loftr_ros.ros.synchronizer import ApproximateTimeSynchronizer, TimeSynchronizer


class Source:
    """Stands for a subscription."""

    def registerCallback(self, callback, *arguments):
        self.deliver = lambda stamp_ms: callback(message(stamp_ms), *arguments)


def message(stamp_ms):
    stamp = SimpleNamespace(sec=stamp_ms // 1000, nanosec=stamp_ms % 1000 * 10**6)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), stamp_ms=stamp_ms)


class Pairs:
    """A synchronizer of two sources, and what it put out."""

    def __init__(self, kind, **options):
        self.left, self.right, self.found = Source(), Source(), []
        kind([self.left, self.right], **options).registerCallback(
            lambda a, b: self.found.append((a.stamp_ms, b.stamp_ms))
        )


def test_equal_stamps_make_a_pair_in_either_order_of_arrival():
    pairs = Pairs(TimeSynchronizer, queue_size=5)
    pairs.left.deliver(1000)
    assert pairs.found == []
    pairs.right.deliver(1000)
    pairs.right.deliver(2000)
    pairs.left.deliver(2000)
    assert pairs.found == [(1000, 1000), (2000, 2000)]


def test_a_message_is_used_once():
    pairs = Pairs(TimeSynchronizer, queue_size=5)
    for deliver in (pairs.left.deliver, pairs.right.deliver, pairs.right.deliver):
        deliver(1000)
    assert pairs.found == [(1000, 1000)]


def test_exact_wants_equal_stamps():
    pairs = Pairs(TimeSynchronizer, queue_size=5)
    pairs.left.deliver(1000)
    pairs.right.deliver(1001)
    assert pairs.found == []


@pytest.mark.parametrize(("right", "found"), [(1010, [(1000, 1010)]), (990, [(1000, 990)]), (1011, []), (989, [])])
def test_approximate_takes_what_lies_within_the_slop(right, found):
    pairs = Pairs(ApproximateTimeSynchronizer, queue_size=5, slop=0.010)
    pairs.left.deliver(1000)
    pairs.right.deliver(right)
    assert pairs.found == found


def test_approximate_takes_the_nearest():
    pairs = Pairs(ApproximateTimeSynchronizer, queue_size=5, slop=0.050)
    for stamp in (1000, 1030, 1060):
        pairs.left.deliver(stamp)
    pairs.right.deliver(1033)
    assert pairs.found == [(1030, 1033)]


def test_the_queue_is_bounded_and_forgets_the_first_arrival():
    pairs = Pairs(TimeSynchronizer, queue_size=2)
    for stamp in (1000, 2000, 3000):
        pairs.left.deliver(stamp)
    for stamp in (1000, 2000, 3000):
        pairs.right.deliver(stamp)
    assert pairs.found == [(2000, 2000), (3000, 3000)]


def test_recorded_data_may_start_over():
    pairs = Pairs(TimeSynchronizer, queue_size=3)
    for stamp in (9000, 9100, 9200):
        pairs.left.deliver(stamp)
    for stamp in (1000, 1100):
        pairs.left.deliver(stamp)
        pairs.right.deliver(stamp)
    assert pairs.found == [(1000, 1000), (1100, 1100)]
