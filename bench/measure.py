"""Evaluation loop of bench/matching.py: every method on every pair, timed and compared with ground truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from matchers import MatchingMethod, Variant
from numpy.typing import NDArray
from pair_sets import Pair, PairSet
from scores import auc
from stopwatch import timed
from tasks import CONFIG

from loftr_ros.matches import Matches
from loftr_ros.odometry.images.structure_tensor import StructureTensor
from loftr_ros.odometry.images.subpixel import refine_subpixel

_CACHED_IMAGES = 12  # one extraction per image at strides up to 8


@dataclass(frozen=True)
class Measurement:
    """One variant on one pair; times in milliseconds, extraction per image; `errors` as in `Task.errors`."""

    matches: int
    inliers: int
    extract_ms: float
    match_ms: float
    pose_ms: float
    errors: dict[str, float]
    failed: bool


@dataclass(frozen=True)
class Row:
    """One variant on one pair set: medians over its pairs, and AUC in percent by threshold."""

    name: str
    matches: float
    inliers: float
    extract_ms: float
    match_ms: float
    pose_ms: float
    errors: dict[str, float]
    auc: dict[str, float]
    failures: int


def measure(pair_set: PairSet, methods: Sequence[MatchingMethod], advance: Callable[[], None]) -> list[Row]:
    """Measure all variants on a pair set; `advance` is called after each pair of each method."""
    task = pair_set.pairs[0].task
    rows = []
    for method in methods:
        variants = [variant for variant in method.variants if task.has_opencv_pipeline or not variant.opencv]
        measured: dict[str, list[Measurement]] = defaultdict(list)
        matched = _Matched(method.matcher, pair_set)
        for pair in pair_set.pairs:
            for variant in variants:
                measured[variant.name].append(_measure(matched, pair, variant))
            advance()
        rows += [_row(name, measurements, task.thresholds, task.unit) for name, measurements in measured.items()]
    return rows


class _Matched:
    """Matches of the pairs of a set; images, features and matches that variants and pairs share are cached."""

    def __init__(self, matcher: Any, pair_set: PairSet) -> None:
        self.read = lru_cache(_CACHED_IMAGES)(pair_set.read)
        self._matcher = matcher
        self._extract = lru_cache(_CACHED_IMAGES)(self._extract_timed)
        self.match = lru_cache(1)(self._match_timed)

    def _extract_timed(self, path: Path) -> tuple[Any, float]:
        image = self.read(path)
        return timed(lambda: self._matcher.extract(image))

    def _match_timed(self, path_a: Path, path_b: Path) -> tuple[Matches, float, float]:
        """Return the matches, and the milliseconds of extracting image b and of matching."""
        features_a, _ = self._extract(path_a)
        features_b, extract_ms = self._extract(path_b)
        matches, match_ms = timed(lambda: self._matcher.match(features_a, features_b))
        return matches, extract_ms, match_ms


def _measure(matched: _Matched, pair: Pair, variant: Variant) -> Measurement:
    matches, extract_ms, match_ms = matched.match(pair.image_a, pair.image_b)
    if variant.refined:
        images = matched.read(pair.image_a), matched.read(pair.image_b)
        matches, refine_ms = timed(lambda: _refined(*images, matches))
        match_ms += refine_ms
    answer, pose_ms = timed(lambda: pair.task.solve(matches, variant.opencv))
    inliers = answer.inliers if answer else 0
    errors = pair.task.errors(answer)
    return Measurement(len(matches), inliers, extract_ms, match_ms, pose_ms, errors, answer is None)


def _refined(image_a: NDArray[np.uint8], image_b: NDArray[np.uint8], matches: Matches) -> Matches:
    """Refine to sub-pixel accuracy as the odometry does."""
    return refine_subpixel(StructureTensor(image_a), image_b, matches, CONFIG.subpixel_max_shift_px)


def _row(name: str, measured: Sequence[Measurement], thresholds: Sequence[float], unit: str) -> Row:
    def median(values: list[float]) -> float:
        # NaN: no ground truth for this error. Failures count as infinite errors.
        known = [value for value in values if not np.isnan(value)]
        return float(np.median(known)) if known else float("nan")

    # Largest error of each pair; pairs with an undefined error (NaN) are left out of the AUC.
    largest = np.array([np.max(list(one.errors.values())) for one in measured])
    judged = largest[~np.isnan(largest)]
    return Row(
        name,
        median([one.matches for one in measured]),
        median([one.inliers for one in measured]),
        median([one.extract_ms for one in measured]),
        median([one.match_ms for one in measured]),
        median([one.pose_ms for one in measured]),
        {error: median([one.errors[error] for one in measured]) for error in measured[0].errors},
        {f"{threshold:g}{unit}": auc(judged, threshold) for threshold in thresholds},
        sum(one.failed for one in measured),
    )
