"""Matchers and statistics of bench/matching.py on known input."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Bench = Callable[[str], ModuleType]


def test_descriptors_match_a_shifted_image(bench: Bench, texture: NDArray[np.uint8]) -> None:
    matchers = bench("matchers")
    for detector, norm in ((cv2.ORB.create(500), cv2.NORM_HAMMING), (cv2.SIFT.create(500), cv2.NORM_L2)):
        matcher = matchers.DescriptorMatcher(detector, norm)
        matches = matcher.match(matcher.extract(texture[:, :-16]), matcher.extract(texture[:, 16:]))
        assert len(matches) > 50
        np.testing.assert_allclose(np.median(matches.points_a - matches.points_b, axis=0), [16, 0], atol=0.05)
        assert ((matches.confidence > 0.2) & (matches.confidence <= 1)).all()


def test_blank_image_has_no_matches(bench: Bench, texture: NDArray[np.uint8]) -> None:
    matcher = bench("matchers").DescriptorMatcher(cv2.SIFT.create(500), cv2.NORM_L2)
    blank, textured = matcher.extract(np.zeros_like(texture)), matcher.extract(texture)
    assert len(matcher.match(blank, textured)) == len(matcher.match(textured, blank)) == 0


def test_row_counts_failures_as_infinite_and_leaves_out_nan(bench: Bench) -> None:
    measure = bench("measure")
    errors = [(0.1, 2.0), (0.3, 4.0), (np.inf, np.inf), (0.2, np.nan)]
    measured = [
        measure.Measurement(
            10 * i, i, 1.0, 2.0, 3.0, {"rotation": rotation, "direction": direction}, rotation == np.inf
        )
        for i, (rotation, direction) in enumerate(errors)
    ]
    row = measure._row("name", measured, (5.0,), "°")
    assert (row.matches, row.inliers, row.failures) == (15, 1.5, 1)
    assert row.errors == {"rotation": pytest.approx(0.25), "direction": 4.0}
    assert row.auc == {"5°": pytest.approx(bench("scores").auc([2.0, 4.0, np.inf], 5.0))}


def test_pairs_of_a_sequence(bench: Bench, data: Path, step: NDArray[np.float64]) -> None:
    sets = bench("pair_sets")
    assert [len(one.pairs) for one in sets.open_sets("kitti06", [1, 2, 3], False)] == [4, 2, 1]
    assert [len(one.pairs) for one in sets.open_sets("kitti06", [1, 2, 3], True)] == [4, 3, 2]
    second = next(iter(sets.open_sets(str(data / "kitti" / "sequences" / "06"), [2], False))).pairs[1]
    assert (second.image_a.stem, second.image_b.stem) == ("000002", "000004")
    np.testing.assert_allclose(second.task.T_a_b, step @ step, atol=1e-9)
