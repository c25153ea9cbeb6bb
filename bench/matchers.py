"""The matchers that bench/matching.py compares: LoFTR, and OpenCV's ORB and SIFT behind the `Matcher` protocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matcher, Matches

FEATURES = 4000
RATIO = 0.8  # ratio test between nearest and second nearest descriptor (Lowe, IJCV 2004, section 7.1)

Described = tuple[NDArray[np.float32], NDArray[Any]]


@dataclass(frozen=True)
class Variant:
    """One way of estimating from the matches of a method: one row of the table."""

    name: str
    refined: bool = False
    opencv: bool = False


@dataclass(frozen=True)
class MatchingMethod:
    """A matcher and the variants to evaluate with it."""

    matcher: Matcher[Any]
    variants: tuple[Variant, ...]


class DescriptorMatcher:
    """OpenCV keypoints and descriptors, matched by nearest neighbor and ratio test."""

    def __init__(self, detector: cv2.Feature2D, norm: int) -> None:
        """Use a detector and the norm for its descriptors."""
        self._detector = detector
        self._nearest = cv2.BFMatcher(norm)

    def extract(self, image: NDArray[np.uint8]) -> Described:
        """Return the (N, 2) keypoints and (N, D) descriptors of an image."""
        keypoints, descriptors = self._detector.detectAndCompute(image, None)
        points = np.array([keypoint.pt for keypoint in keypoints], np.float32).reshape(-1, 2)
        return points, np.zeros((0, 1)) if descriptors is None else descriptors

    def match(self, features_a: Described, features_b: Described) -> Matches:
        """Match by descriptors; `cell_a` is the index of the keypoint, confidence is 1 - distance ratio."""
        (points_a, descriptors_a), (points_b, descriptors_b) = features_a, features_b
        found = self._nearest.knnMatch(descriptors_a, descriptors_b, k=2) if min(len(points_a), len(points_b)) else ()
        rows = [
            (m.queryIdx, m.trainIdx, m.distance / max(n.distance, 1e-9)) for m, n in (p for p in found if len(p) == 2)
        ]
        table = np.array([row for row in rows if row[2] < RATIO], np.float64).reshape(-1, 3)
        index_a, index_b = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
        return Matches(points_a[index_a], points_b[index_b], (1.0 - table[:, 2]).astype(np.float32), index_a)


def orb() -> DescriptorMatcher:
    """Return OpenCV's ORB."""
    return DescriptorMatcher(cv2.ORB.create(FEATURES), cv2.NORM_HAMMING)


def sift() -> DescriptorMatcher:
    """Return OpenCV's SIFT."""
    return DescriptorMatcher(cv2.SIFT.create(FEATURES), cv2.NORM_L2)


def matching_methods(
    loftr: Matcher[Any], checkpoint: str, learned: Iterable[tuple[str, Matcher[Any]]] = ()
) -> tuple[MatchingMethod, ...]:
    """Return all methods, in the order of the table; `learned` are other learned matchers with their names."""
    others = (MatchingMethod(matcher, (Variant(f"{name}, refined", refined=True),)) for name, matcher in learned)
    return (
        MatchingMethod(
            loftr, (Variant(f"LoFTR {checkpoint}, refined", refined=True), Variant(f"LoFTR {checkpoint}, raw"))
        ),
        *others,
        MatchingMethod(orb(), (Variant(f"ORB {FEATURES}"),)),
        MatchingMethod(
            sift(), (Variant(f"SIFT {FEATURES}"), Variant(f"SIFT {FEATURES}, OpenCV pipeline", opencv=True))
        ),
    )
