"""The transition table of the tracker: state, pose and velocity after each kind of frame.

It holds from any state: what a frame before was is in the reference pose and in the prediction, not in the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from types import MappingProxyType

from loftr_ros.odometry.states import TrackingState


@unique
class FrameEvent(Enum):
    """What the images of a frame say about the motion."""

    NO_IMAGE_MOTION = "no image motion since the last measured pose"
    MOTION = "a motion within the limits and, while lost, within the gate of the prediction"
    MOTION_AFTER_GAP = "such a motion, more than `max_gap` after the last measured pose"
    EARLIER_KEYFRAME = "a motion from an earlier keyframe, while lost"
    FIRST_ROTATION = "a rotation of a single camera whose translation was never measured"
    FIRST_ROTATION_AFTER_GAP = "such a rotation, more than `max_gap` after the last measured pose"
    NO_MOTION = "no motion, one beyond the limits, or one of unknown length"
    NO_TEXTURE = "an image without texture, which no keyframe would match"


class Source(Enum):
    """Where a pose or a velocity comes from."""

    HELD = "held"
    """As at the last measured pose; a held velocity is zero."""
    MEASURED = "measured"
    """By the frame; a measured velocity is that since the last measured pose."""
    PREDICTED = "predicted"
    """By the motion model: the last measured velocity for `max_prediction` seconds, then zero."""


@dataclass(frozen=True)
class Transition:
    """A row of the table.

    Attributes:
        state: after the frame.
        pose: of the frame. If it is predicted, the last measured pose remains the reference of the next frames.
        velocity: of the frame.
        counts_as_lost: towards `lost_frames_to_restart`, at which the frame becomes the keyframe at its predicted pose.
    """

    state: TrackingState
    pose: Source
    velocity: Source
    counts_as_lost: bool = False


_INITIALIZING, _TRACKING, _LOST = TrackingState.INITIALIZING, TrackingState.TRACKING, TrackingState.LOST
TRANSITIONS: Mapping[FrameEvent, Transition] = MappingProxyType(
    {
        FrameEvent.NO_IMAGE_MOTION: Transition(TrackingState.STATIONARY, Source.HELD, Source.HELD),
        FrameEvent.MOTION: Transition(_TRACKING, Source.MEASURED, Source.MEASURED),
        # No velocity is computed across a gap or a correction.
        FrameEvent.MOTION_AFTER_GAP: Transition(_TRACKING, Source.MEASURED, Source.PREDICTED),
        FrameEvent.EARLIER_KEYFRAME: Transition(_TRACKING, Source.MEASURED, Source.PREDICTED),
        FrameEvent.FIRST_ROTATION: Transition(_INITIALIZING, Source.MEASURED, Source.MEASURED),
        FrameEvent.FIRST_ROTATION_AFTER_GAP: Transition(_INITIALIZING, Source.MEASURED, Source.PREDICTED),
        FrameEvent.NO_MOTION: Transition(_LOST, Source.PREDICTED, Source.PREDICTED, counts_as_lost=True),
        FrameEvent.NO_TEXTURE: Transition(_LOST, Source.PREDICTED, Source.PREDICTED),
    }
)
