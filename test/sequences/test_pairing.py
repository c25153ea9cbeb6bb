"""Pairs of images by their stamps."""

import time

from loftr_ros.sequences.pairing import pair_depth_stamps, pair_stamps


def test_the_nearest_is_taken_and_the_earlier_of_two() -> None:
    pairs, notes = pair_depth_stamps([0, 100, 200], [110, 90, 4, 250], 20)
    assert pairs == {0: 4, 100: 90}
    assert notes == (
        "depth images are paired with images up to 1e-05 ms away",
        "1 of 3 images have no depth image within 2e-05 ms: left out",
    )
    assert pair_depth_stamps([1], [], 20)[0] == {}


def test_long_recordings_are_paired_in_time() -> None:
    """An hour at 30 Hz: each stamp compared with all others took 105 s."""
    stamps = [33_333_333 * i for i in range(108_000)]
    began = time.thread_time()
    assert len(pair_depth_stamps(stamps, [stamp + 1_000_000 for stamp in stamps], 20_000_000)[0]) == len(stamps)
    assert len(pair_stamps(stamps, [stamp + 1_000_000 for stamp in stamps])[0]) == len(stamps)
    assert time.thread_time() - began < 4
