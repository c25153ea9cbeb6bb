"""The direction of translation without depth never comes out opposite where plain OpenCV finds it.

Hundreds of simulated pairs: motion in every direction, outliers, parallax down to the noise, near and far scenes; and
recorded pairs of a driving car. The peer is MAGSAC++ with `cv2.recoverPose` on the same matches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.pose.relative_pose import relative_pose
from loftr_ros.odometry.pose.two_view import TwoViewGeometry, epipolar_errors

Array = NDArray[np.float64]

FOCAL = 500.0
CAMERA = Camera(640, 480, np.array([[FOCAL, 0.0, 319.5], [0.0, FOCAL, 239.5], [0.0, 0.0, 1.0]]))
MOTIONS = {
    "forward": (0, 0, 1),
    "backward": (0, 0, -1),
    "left": (-1, 0, 0),
    "right": (1, 0, 0),
    "up": (0, -1, 0),
    "down": (0, 1, 0),
    "forward and right": (1, 0, 1),
    "backward and left": (-1, 0.2, -1),
}
PAIRS = 80  # of each motion: a fault in one pair of 100 is missed by all 640 once in 600 runs
CONFIG = OdometryConfig(ransac_threshold_px=0.7, min_inlier_ratio=0.1)
CLEAR = 2.0  # standard deviations of a match, median parallax
PERIOD = 10  # frames between the recorded pairs


def depths(scene: str, points: Array, rng: np.random.Generator) -> Array:
    """(N,) z of (N, 2) points on the plane z = 1."""
    far = rng.uniform(40, 400, len(points))
    if scene == "near":
        return rng.uniform(1, 6, len(points))
    if scene == "far":
        return np.where(rng.random(len(points)) < 0.2, rng.uniform(5, 20, len(points)), far)
    if scene == "road":
        return np.where(points[:, 1] > 0.03, np.minimum(1.6 / np.maximum(points[:, 1], 1e-3), 200), far)
    return np.exp(rng.uniform(0, 5, len(points)))


def length_for(parallax_px: float, direction: Array, points: Array) -> float:
    """Length of a translation that has this median parallax for the (N, 3) points."""
    shortest, longest = 1e-5, 0.8 * float(np.quantile(points[:, 2], 0.3))
    for _ in range(40):
        length = (shortest * longest) ** 0.5
        moved = points - length * direction
        motion = np.linalg.norm(moved[:, :2] / moved[:, 2:] - points[:, :2] / points[:, 2:], axis=1)
        shortest, longest = (length, longest) if FOCAL * np.median(motion) < parallax_px else (shortest, length)
    return length


def simulated(direction: Array, rng: np.random.Generator) -> tuple[Matches, Array, float]:
    """Matches of a random pair whose translation has this direction, T_a_b, and median parallax in sigma."""
    parallax_px = float(np.exp(rng.uniform(np.log(0.5), np.log(40))))
    outliers, noise_px = rng.choice([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), rng.choice([0.1, 0.3, 0.6])
    a = rng.uniform((0, 0), (639, 479), (rng.choice([200, 400, 800]), 2))
    normalized = CAMERA.normalize(a)
    points = np.column_stack([normalized, np.ones(len(normalized))])
    points *= depths(rng.choice(["near", "far", "road", "deep"]), normalized, rng)[:, None]
    R = se3.exp_rotation(rng.normal(size=3) * np.radians(rng.choice([0.2, 2.0, 6.0])))
    T_a_b = se3.transform(R, length_for(parallax_px, direction, points) * direction)
    in_b = (points - T_a_b[:3, 3]) @ R
    b = FOCAL * in_b[:, :2] / np.maximum(in_b[:, 2:], 1e-6) + (319.5, 239.5)
    b += noise_px * rng.normal(size=b.shape)
    wrong = rng.random(len(b)) < outliers
    b[wrong] = rng.uniform((0, 0), (639, 479), (wrong.sum(), 2))
    seen = (in_b[:, 2] > 0.1) & ((b >= 0) & (b <= (639, 479))).all(axis=1) | wrong
    return matches(a[seen], b[seen]), T_a_b, parallax_px / noise_px


def matches(points_a: Array, points_b: Array) -> Matches:
    count = len(points_a)
    a, b = points_a.astype(np.float32), points_b.astype(np.float32)
    return Matches(a, b, np.ones(count, np.float32), np.arange(count))


def plain_pose(found: Matches, K: Array, threshold_px: float) -> Array:
    """(4, 4) T_a_b by OpenCV alone."""
    a, b = found.points_a.astype(np.float64), found.points_b.astype(np.float64)
    E, inliers = cv2.findEssentialMat(a, b, K, cv2.USAC_MAGSAC, 0.999, threshold_px)
    _, R, t, _ = cv2.recoverPose(np.ascontiguousarray(E[:3]), a, b, K, mask=inliers)
    return se3.inverse(se3.transform(R, t.ravel()))


def direction_error_deg(T: Array, truth: Array) -> float:
    a, b = T[:3, 3], truth[:3, 3]
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1.0, 1.0))))


@pytest.mark.slow
@pytest.mark.parametrize("motion", MOTIONS)
def test_no_simulated_pair_is_half_a_turn_off_where_plain_opencv_is_not(motion: str) -> None:
    """At a parallax near the noise a pair may tell either direction; above it none is wrong that OpenCV has right."""
    direction = np.array(MOTIONS[motion]) / np.linalg.norm(MOTIONS[motion])
    flipped, clearly, judged, better, worse = [], [], 0, 0, 0
    for seed in range(PAIRS):
        found, truth, parallax = simulated(direction, np.random.default_rng([seed, list(MOTIONS).index(motion)]))
        pose = relative_pose(found, CAMERA)
        if pose is None or pose.geometry is TwoViewGeometry.ROTATION:
            continue
        judged += 1
        ours = direction_error_deg(pose.T_a_b, truth)
        plain = direction_error_deg(plain_pose(found, CAMERA.K, 1.0), truth)
        better, worse = better + (ours < 10 < plain), worse + (plain < 10 < ours)
        if ours > 90 and plain < 60:
            (clearly if parallax > CLEAR else flipped).append((seed, parallax, plain, ours))
    assert judged > 0.9 * PAIRS
    assert not clearly, "seed, parallax in sigma, error of OpenCV, error"
    assert len(flipped) <= 1, "seed, parallax in sigma, error of OpenCV, error"
    assert better > 4 * worse


def recorded_pairs(path: Path) -> Iterator[tuple[Camera, NDArray[np.uint8], NDArray[np.uint8], Array]]:
    from loftr_ros.sequences.formats import open_sequence

    sequence = open_sequence(path, "mono")
    assert sequence.ground_truth is not None
    poses = sequence.ground_truth.poses
    for index in range(0, len(sequence) - PERIOD, 4):
        images = sequence[index].image, sequence[index + PERIOD].image
        yield sequence.camera, *images, se3.inverse(poses[index]) @ poses[index + PERIOD]


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize("method", ["loftr", "sift"])
def test_no_recorded_pair_is_half_a_turn_off(recorded: Callable[[str], Path], method: str) -> None:
    """Ten frames apart, matches not refined: three in ten are wrong, and as many are on repeated texture."""
    match = loftr() if method == "loftr" else sift
    errors = []
    for camera, image_a, image_b, truth in recorded_pairs(recorded("kitti/sequences/06")):
        pose = relative_pose(match(image_a, image_b), camera, config=CONFIG)
        assert pose is not None
        errors.append(direction_error_deg(pose.T_a_b, truth))
    assert len(errors) > 10
    assert max(errors) < 3.0


def loftr() -> Callable[[NDArray[np.uint8], NDArray[np.uint8]], Matches]:
    from loftr_ros.loftr.runtime.matcher import load_matcher

    matcher = load_matcher("compact", "cpu")
    return lambda a, b: matcher.match(matcher.extract(a), matcher.extract(b))


def sift(image_a: NDArray[np.uint8], image_b: NDArray[np.uint8]) -> Matches:
    """Nearest neighbors with hardly a ratio test: half of them are wrong."""
    (points_a, features_a), (points_b, features_b) = (
        cv2.SIFT_create(2000).detectAndCompute(image, None) for image in (image_a, image_b)
    )
    pairs = cv2.BFMatcher().knnMatch(features_a, features_b, 2)
    good = [one for one, other in pairs if one.distance < 0.9 * other.distance]
    a = np.array([points_a[one.queryIdx].pt for one in good])
    b = np.array([points_b[one.trainIdx].pt for one in good])
    return matches(a, b)


def test_a_point_behind_the_camera_is_as_far_off_as_its_vanishing_point() -> None:
    """A point 2 m ahead, 1 m to the right; the camera moves 1 m to the right, or is said to move to the left."""
    a, b = np.array([[0.5, 0.0]]), np.array([[0.0, 0.1]])
    unknown = np.full(1, np.nan)
    matches = NormalizedMatches(a, b, unknown, unknown)
    right, left = se3.transform(np.eye(3), [1.0, 0.0, 0.0]), se3.transform(np.eye(3), [-1.0, 0.0, 0.0])
    assert epipolar_errors(right, matches) == pytest.approx(0.1)
    assert epipolar_errors(left, matches) == pytest.approx(np.hypot(0.5, 0.1))
