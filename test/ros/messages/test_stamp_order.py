"""Time that goes on, stands still, or starts over."""

import pytest

from loftr_ros.ros.messages.stamp_order import Order, StampOrder

SECOND = 10**9


@pytest.mark.parametrize(
    ("stamps", "orders"),
    [
        ([0, 1, 5 * SECOND], [Order.NEXT, Order.NEXT, Order.NEXT]),
        ([5, 5, 6], [Order.NEXT, Order.DUPLICATE, Order.NEXT]),
        ([3 * SECOND, 2 * SECOND + 1, 3 * SECOND, 3 * SECOND + 1], "next stale duplicate next"),
        ([3 * SECOND, 2 * SECOND, 2 * SECOND + 1, 3 * SECOND], "next jump next next"),
        ([-SECOND, 7, -1, 8], "stale next stale next"),
    ],
)
def test_each_stamp_is_judged_by_the_newest_before_it(stamps, orders):
    order = StampOrder()
    expected = [Order[name.upper()] for name in orders.split()] if isinstance(orders, str) else orders
    assert [order.judge(stamp) for stamp in stamps] == expected
