"""States of an estimate, reasons of a loss, and degeneracies, by name."""

from __future__ import annotations

from enum import Enum


class TrackingState(Enum):
    """How the pose of a frame came about."""

    INITIALIZING = "initializing"
    """The first frame, or a single camera that has not moved enough yet to have a translation."""
    TRACKING = "tracking"
    """The pose is measured."""
    STATIONARY = "stationary"
    """The image did not move: the pose is that of the frame before."""
    LOST = "lost"
    """The pose is a prediction; `lost_reason` says why."""


class LostReason(Enum):
    """Why nothing was measured at a frame. What is wrong with the image comes before what is wrong with its matches."""

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
    """What makes a measured motion less than it seems. Its covariance says what that costs."""

    PURE_ROTATION = "pure rotation"
    """The matches show no translation; only depth that is known beforehand gives one."""
    PLANAR = "planar scene"
    """One plane explains the matches; without depth, two motions do."""
    AMBIGUOUS_DIRECTION = "ambiguous direction"
    """Without depth, translations of different directions explain the matches nearly equally well."""
    FEW_NEAR_POINTS = "few near points"
    """Hardly any point is near enough for its depth to be well known: the length of the motion rests on few."""
    COMPETING_MOTION = "competing motion"
    """Some matches agree on another motion: moving objects, or repeated texture."""
    PROPAGATED_DEPTH = "no new depth"
    """A stereo pair or depth image gave no depth: the scale is that of earlier keyframes, and drifts."""
