"""The matching thread: newest wins, or nothing is lost."""

import threading
import time

import pytest

from loftr_ros.ros.worker import Worker


class Gate:
    """Work that waits until it is let through."""

    def __init__(self):
        self.done, self.dropped, self.entered, self.open = [], 0, threading.Semaphore(0), threading.Semaphore(0)

    def work(self, item):
        self.entered.release()
        assert self.open.acquire(timeout=5)
        self.done.append(item)

    def drop(self):
        self.dropped += 1


@pytest.fixture
def gate():
    return Gate()


def test_the_newest_item_wins_and_the_others_are_counted(gate):
    worker = Worker(gate.work, gate.drop)
    worker.put(0)
    assert gate.entered.acquire(timeout=5)
    for item in (1, 2, 3):
        worker.put(item)
    gate.open.release(2)
    assert gate.entered.acquire(timeout=5)
    worker.stop().join(timeout=5)
    assert gate.done == [0, 3]
    assert gate.dropped == 2


def test_with_a_capacity_nothing_is_lost_and_put_blocks(gate):
    worker = Worker(gate.work, gate.drop, capacity=1)
    worker.put(0)
    assert gate.entered.acquire(timeout=5)
    worker.put(1)
    blocked = threading.Thread(target=worker.put, args=(2,))
    blocked.start()
    time.sleep(0.1)
    assert blocked.is_alive()
    gate.open.release(3)
    blocked.join(timeout=5)
    for _ in range(2):
        assert gate.entered.acquire(timeout=5)
    worker.stop().join(timeout=5)
    assert gate.done == [0, 1, 2]
    assert gate.dropped == 0


def test_stop_frees_a_blocked_put_and_does_not_wait_for_the_item_in_work(gate):
    worker = Worker(gate.work, gate.drop, capacity=1)
    worker.put(0)
    assert gate.entered.acquire(timeout=5)
    worker.put(1)
    blocked = threading.Thread(target=worker.put, args=(2,))
    blocked.start()
    thread = worker.stop()
    blocked.join(timeout=5)
    assert (blocked.is_alive(), thread.is_alive()) == (False, True)
    gate.open.release()
    thread.join(timeout=5)
    assert gate.done == [0]
    assert not thread.is_alive()


def test_an_item_that_raises_does_not_end_the_thread(gate, capsys):
    def work(item):
        if item == 0:
            raise SystemExit("out of order")
        gate.work(item)

    worker = Worker(work, gate.drop, capacity=2)
    worker.put(0)
    worker.put(1)
    gate.open.release()
    assert gate.entered.acquire(timeout=5)
    worker.stop().join(timeout=5)
    assert gate.done == [1]
    assert "SystemExit: out of order" in capsys.readouterr().err


def test_time_of_the_current_item(gate):
    worker = Worker(gate.work, gate.drop)
    assert worker.busy_s() == 0
    worker.put(0)
    assert gate.entered.acquire(timeout=5)
    time.sleep(0.05)
    assert worker.busy_s() >= 0.05
    gate.open.release()
    worker.stop().join(timeout=5)
    assert worker.busy_s() == 0
