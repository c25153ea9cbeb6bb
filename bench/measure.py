"""The loop: every competitor on every pair, timed and compared with the truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from methods import Competitor, Recipe
from numpy.typing import NDArray
from problems import CONFIG
from scores import auc
from sets import Pair, PairSet
from stopwatch import timed

from loftr_ros.matches import Matches
from loftr_ros.odometry.images.structure_tensor import StructureTensor
from loftr_ros.odometry.images.subpixel import refine_subpixel

_CACHED_IMAGES = 12  # so that every image is extracted once at strides up to 8


@dataclass(frozen=True)
class Measurement:
    """One recipe on one pair; times in milliseconds, of extraction for one image. `errors`: see `Problem`."""

    matches: int
    inliers: int
    extract_ms: float
    match_ms: float
    pose_ms: float
    errors: dict[str, float]
    failed: bool


@dataclass(frozen=True)
class Row:
    """One recipe on one set: medians over its pairs, and AUC in per cent by threshold."""

    name: str
    matches: float
    inliers: float
    extract_ms: float
    match_ms: float
    pose_ms: float
    errors: dict[str, float]
    auc: dict[str, float]
    failures: int


def measure(pair_set: PairSet, competitors: Sequence[Competitor], advance: Callable[[], None]) -> list[Row]:
    """Measure all recipes on a set; `advance` is called after each pair of each competitor."""
    problem = pair_set.pairs[0].problem
    rows = []
    for competitor in competitors:
        recipes = [recipe for recipe in competitor.recipes if problem.has_plain_recipe or not recipe.plain]
        measured: dict[str, list[Measurement]] = defaultdict(list)
        matched = _Matched(competitor.matcher, pair_set)
        for pair in pair_set.pairs:
            for recipe in recipes:
                measured[recipe.name].append(_measure(matched, pair, recipe))
            advance()
        rows += [_row(name, measurements, problem.thresholds, problem.unit) for name, measurements in measured.items()]
    return rows


class _Matched:
    """Matches of the pairs of a set. Images, features and matches that several recipes or pairs need are kept."""

    def __init__(self, matcher: Any, pair_set: PairSet) -> None:
        self.read = lru_cache(_CACHED_IMAGES)(pair_set.read)
        self._matcher = matcher
        self._extract = lru_cache(_CACHED_IMAGES)(self._extract_timed)
        self.match = lru_cache(1)(self._match_timed)

    def _extract_timed(self, path: Path) -> tuple[Any, float]:
        image = self.read(path)
        return timed(lambda: self._matcher.extract(image))

    def _match_timed(self, path_a: Path, path_b: Path) -> tuple[Matches, float, float]:
        """Return the matches, the milliseconds to extract image b, and those to match."""
        features_a, _ = self._extract(path_a)
        features_b, extract_ms = self._extract(path_b)
        matches, match_ms = timed(lambda: self._matcher.match(features_a, features_b))
        return matches, extract_ms, match_ms


def _measure(matched: _Matched, pair: Pair, recipe: Recipe) -> Measurement:
    matches, extract_ms, match_ms = matched.match(pair.image_a, pair.image_b)
    if recipe.polished:
        images = matched.read(pair.image_a), matched.read(pair.image_b)
        matches, polish_ms = timed(lambda: _polished(*images, matches))
        match_ms += polish_ms
    answer, pose_ms = timed(lambda: pair.problem.solve(matches, recipe.plain))
    inliers = answer.inliers if answer else 0
    errors = pair.problem.errors(answer)
    return Measurement(len(matches), inliers, extract_ms, match_ms, pose_ms, errors, answer is None)


def _polished(image_a: NDArray[np.uint8], image_b: NDArray[np.uint8], matches: Matches) -> Matches:
    """Polish as the odometry does."""
    return refine_subpixel(StructureTensor(image_a), image_b, matches, CONFIG.subpixel_max_shift_px)


def _row(name: str, measured: Sequence[Measurement], thresholds: Sequence[float], unit: str) -> Row:
    def median(values: list[float]) -> float:
        # A NaN has no true value to compare with; a failure is infinitely wrong.
        known = [value for value in values if not np.isnan(value)]
        return float(np.median(known)) if known else float("nan")

    # The largest error of each pair; NaN, and left out, if one of them has no true value.
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
