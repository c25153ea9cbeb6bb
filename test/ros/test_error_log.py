"""A faulty camera raises an error with every frame: the log has each kind once in a while."""

from types import SimpleNamespace

from loftr_ros.ros.error_log import ErrorLog


def raised(error):
    try:
        raise error
    except Exception as caught:
        return caught


def logged(period_s):
    """Log alternating errors with ever other messages; return what was logged."""
    texts = []
    node = SimpleNamespace(get_logger=lambda: SimpleNamespace(error=texts.append, debug=lambda _: None))
    log = ErrorLog(node, period_s)
    for index in range(5):
        log.add(raised(ValueError(index)), f"value {index}")
        log.add(raised(KeyError(index)), f"key {index}")
    return texts


def test_alternating_errors_are_logged_once_by_kind():
    assert logged(60.0) == ["value 0", "key 0"]


def test_a_kind_is_logged_again_after_the_period():
    assert len(logged(0.0)) == 10
