"""Frames and matches as no camera and no matcher should give them: of a simulated world, then spoiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import SPECS
from loftr_ros.odometry.images.frame import Frame

Rng = np.random.Generator
NASTY = (0.0, -0.0, 1.0, -1.0, 1e-300, -1e-30, 1e-6, 1e4, 1e8, -1e8, 1e15, 1e30, -1e30, 3e38, np.inf, -np.inf, np.nan)


def _some(rng: Rng, count: int) -> NDArray[np.bool_]:
    """Choose one, a few, most or all of `count` items."""
    return np.asarray(rng.random(count) < rng.choice([1.5 / max(count, 1), 0.1, 0.9, 1.1]))


def _nasty_points(points: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    spoiled = points.copy()
    chosen = _some(rng, len(points))
    with np.errstate(over="ignore"):
        spoiled[chosen, rng.integers(2)] = rng.choice(NASTY, chosen.sum())
    return spoiled


def _huge(m: Matches, rng: Rng) -> Matches:
    with np.errstate(over="ignore", invalid="ignore"):
        return replace(m, points_b=(m.points_b * np.float32(rng.choice([1e30, 1e8, 1e-8, -1.0, 3e38]))))


def _covariance(m: Matches, rng: Rng) -> Matches:
    covariance = np.tile(np.eye(2), (len(m), 1, 1)) if m.covariance_b is None else m.covariance_b.copy()
    chosen = _some(rng, len(m))
    covariance[chosen, rng.integers(2), rng.integers(2)] = rng.choice(NASTY, chosen.sum())
    return replace(m, covariance_b=covariance)


def _confidence(m: Matches, rng: Rng) -> Matches:
    confidence = m.confidence.copy()
    chosen = _some(rng, len(m))
    confidence[chosen] = rng.choice([*NASTY[:6], np.nan, np.inf, -1.0, 2.0], chosen.sum())
    return replace(m, confidence=confidence)


def _line(m: Matches, rng: Rng) -> Matches:
    direction = rng.standard_normal(2).astype(np.float32)
    along = np.linspace(0, 60, len(m), dtype=np.float32)[:, None]
    return replace(m, points_a=along * direction, points_b=along * direction + np.float32(rng.choice([0, 3, 40])))


SPOILERS: dict[str, Callable[[Matches, Rng], Matches]] = {
    "untouched": lambda m, rng: m,
    "empty": lambda m, rng: Matches.empty(),
    "few": lambda m, rng: m.select(np.arange(min(len(m), int(rng.integers(1, 30))))),
    "nasty a": lambda m, rng: replace(m, points_a=_nasty_points(m.points_a, rng)),
    "nasty b": lambda m, rng: replace(m, points_b=_nasty_points(m.points_b, rng)),
    "huge": _huge,
    "covariance": _covariance,
    "confidence": _confidence,
    "line": _line,
    "one point": lambda m, rng: replace(m, points_b=np.broadcast_to(m.points_b[:1], m.points_b.shape).copy()),
    "one place": lambda m, rng: replace(
        m,
        points_a=np.broadcast_to(m.points_a[:1], m.points_a.shape).copy(),
        points_b=np.broadcast_to(m.points_b[:1], m.points_b.shape).copy(),
    ),
    "identity": lambda m, rng: replace(m, points_b=m.points_a.copy()),
    "shuffled": lambda m, rng: replace(m, points_b=rng.permutation(m.points_b)),
    "random": lambda m, rng: replace(m, points_b=rng.uniform(0, 96, m.points_b.shape).astype(np.float32)),
    "mirrored": lambda m, rng: replace(m, points_b=np.float32([96, 72]) - m.points_b),
    "zoomed": lambda m, rng: replace(m, points_b=48 + (m.points_b - 48) * np.float32(rng.choice([0.01, 0.5, 2, 50]))),
    "one cell": lambda m, rng: replace(m, cell_a=np.zeros_like(m.cell_a)),
    "cells": lambda m, rng: replace(m, cell_a=rng.integers(-(2**62), 2**62, len(m))),
    "repeated": lambda m, rng: m.select(np.repeat(np.arange(len(m)), 3)),
    "unsorted": lambda m, rng: m.select(rng.permutation(len(m))),
}


def spoiled_depth(depth: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Return a depth image with values that no sensor should give."""
    spoiled = depth.copy()
    with np.errstate(over="ignore"):
        spoiled[rng.random(depth.shape) < rng.choice([0.01, 0.5, 1.1])] = np.float32(rng.choice(NASTY))
        return spoiled * np.float32(rng.choice([1, 1, 1e-9, 1e9, -1]))


def spoiled_image(image: NDArray[np.uint8], rng: Rng) -> Any:
    """Return an image that is black, white, noise, of another size or type."""
    kind = rng.integers(7)
    if kind < 3:
        return np.full_like(image, (0, 255, 128)[kind])
    if kind == 3:
        return rng.integers(0, 256, image.shape, np.uint8)
    return (image[::2], image.astype(np.float32), np.stack([image] * 3, 2))[kind - 4]


def spoiled_frame(frame: Frame, rng: Rng) -> Frame:
    """Spoil the image, the right image or the depth of a frame."""
    kind = rng.integers(4)
    if kind == 0:
        return replace(frame, image=spoiled_image(frame.image, rng))
    if kind == 1 and frame.right is not None:
        return replace(frame, right=None if rng.random() < 0.2 else spoiled_image(frame.right, rng))
    if kind == 2 and frame.depth is not None:
        return replace(frame, depth=None if rng.random() < 0.2 else spoiled_depth(frame.depth, rng))
    return frame


def any_settings(rng: Rng, share: float) -> dict[str, Any]:
    """Return values of some parameters of the odometry, anywhere in their ranges, which are often the limits."""
    values: dict[str, Any] = {}
    for spec in SPECS:
        if rng.random() > share or spec.choices or spec.name in ("camera_height", "camera_pitch"):
            continue
        if isinstance(spec.default, bool):
            values[spec.name] = bool(rng.random() < 0.5)
        elif isinstance(spec.default, int):
            values[spec.name] = int(rng.choice([spec.low, spec.high, rng.integers(spec.low, min(spec.high, 200) + 1)]))
        else:
            values[spec.name] = float(rng.choice([spec.low, spec.high, rng.uniform(spec.low, spec.high)]))
    return values


def is_runtime(name: str) -> bool:
    """Return whether a parameter may change between two frames."""
    return any(spec.name == name and spec.runtime for spec in SPECS)
