"""Events that should be rare."""

from types import SimpleNamespace

from loftr_ros.ros.sensors.interruptions import Interruptions


def test_an_event_is_repeated_from_the_third_in_ten_seconds_on():
    clock = SimpleNamespace(now=0.0)
    events = Interruptions(lambda: clock.now)
    assert events.repeated() is None
    logged = []
    for second in (0, 20, 22, 24, 25, 60):
        clock.now = second
        logged.append(events.add("jumped"))
    assert logged == [True, True, True, False, False, True]
    assert events.repeated() is None


def test_an_event_is_forgotten_after_ten_seconds():
    clock = SimpleNamespace(now=0.0)
    events = Interruptions(lambda: clock.now)
    for _ in range(4):
        events.add("jumped")
    assert events.repeated() == ("jumped", 4)
    clock.now = 9.9
    assert events.repeated() == ("jumped", 4)
    clock.now = 10.1
    assert events.repeated() is None


def test_the_most_frequent_event_is_named():
    events = Interruptions(lambda: 0.0)
    for what, count in (("jumped", 3), ("changed", 5), ("moved", 2)):
        for _ in range(count):
            events.add(what)
    assert events.repeated() == ("changed", 5)
