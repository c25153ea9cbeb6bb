"""Tracking states, reasons of tracking loss, and degeneracies."""

from __future__ import annotations

from enum import Enum


class TrackingState(Enum):
    """Source of the pose of a frame."""

    INITIALIZING = "initializing"
    """The first frame, or a single camera without enough parallax for a translation yet."""
    TRACKING = "tracking"
    """The pose is measured."""
    STATIONARY = "stationary"
    """No image motion: the pose is that of the previous frame."""
    LOST = "lost"
    """The pose is predicted; see `lost_reason`."""


class LostReason(Enum):
    """Why no motion was measured. A fault of the image takes precedence over one of its matches."""

    DARK = "image too dark"
    OVEREXPOSED = "image overexposed"
    BLURRED = "image blurred"
    NO_TEXTURE = "image without texture"
    FEW_MATCHES = "too few matches"
    NO_MOTION_FITS = "matches agree on no motion"
    NO_DEPTH = "no depth"
    NO_STEREO = "left and right do not match"
    IMPOSSIBLE_MOTION = "motion impossible"
    REPEATED = "image repeated"


class Degeneracy(Enum):
    """Degenerate motion or scene, which the covariance accounts for."""

    PURE_ROTATION = "pure rotation"
    """No parallax: the translation is observable only from known depth."""
    PLANAR = "planar scene"
    """One homography explains the matches; without depth, two motions fit."""
    AMBIGUOUS_DIRECTION = "ambiguous direction"
    """Without depth, translations of different directions fit nearly equally well."""
    FEW_NEAR_POINTS = "few near points"
    """Few points are near enough for significant depth: the length of the motion is uncertain."""
    COMPETING_MOTION = "competing motion"
    """Part of the matches fit another motion: moving objects, or repeated texture."""
    PROPAGATED_DEPTH = "no new depth"
    """The stereo pair or depth image gave no depth: the scale is propagated from earlier keyframes, and drifts."""
