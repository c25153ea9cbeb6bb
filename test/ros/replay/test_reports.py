"""The reports of play and record."""

import pytest

from loftr_ros.output import OutputError
from loftr_ros.ros.replay import reports as replay

PLAYED = replay.PlayReport(stamps_ns=[10, 20, 30], sent_ns=[10**9, 2 * 10**9, 3 * 10**9], answered_ns=[])
RECORDED = replay.RecordReport("/odometry", "base in odom", stamps_ns=[20, 30, 40], arrived_ns=[2_040_000_000] * 3)


def test_latency_is_from_publishing_a_frame_to_its_odometry():
    assert replay.latencies_ms(PLAYED, RECORDED) == [40.0, -960.0]


def test_reports_survive_their_files(tmp_path):
    replay.write_report(tmp_path / "play.json", PLAYED)
    replay.write_report(tmp_path / "record.json", RECORDED)
    assert replay.read_play_report(tmp_path / "play.json") == PLAYED
    assert replay.read_record_report(tmp_path / "record.json") == RECORDED


def test_summaries_count():
    answered = replay.PlayReport([1, 2], [10**9, 2 * 10**9], [10**9 + 5_000_000, 0])
    assert str(PLAYED) == "published 3 frames, 1.00 Hz"
    assert str(answered) == "published 2 frames, 1.00 Hz, 1 answered, 1 not, answer after 5 ms (mean), 5 ms (max)"
    assert str(RECORDED) == "recorded 3 messages from /odometry, 0.00 Hz"
    assert str(replay.PlayReport([], [], [])) == "published 0 frames, 0.00 Hz"


def test_a_report_that_cannot_be_written_is_an_error_of_the_users(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        replay.write_report(tmp_path / "missing" / "play.json", PLAYED)
