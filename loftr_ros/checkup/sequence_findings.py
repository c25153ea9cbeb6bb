"""Findings on a recorded sequence, from all stamps and a sample of the images."""

from __future__ import annotations

import numpy as np

from loftr_ros.checkup.calibration_findings import calibration_findings
from loftr_ros.checkup.findings import Finding, Level, error, judged
from loftr_ros.checkup.image_survey import ImageSurvey
from loftr_ros.checkup.timing import timing_findings
from loftr_ros.errors import shortened
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.sequences.decoding_notes import bit_depth, exif_orientation
from loftr_ros.sequences.errors import DamagedImageError, SequenceError
from loftr_ros.sequences.images import read_as_stored
from loftr_ros.sequences.sequence import Sequence

# Number of pairs of successive frames to decode, spread over the sequence.
SAMPLES = 12
# Time offset of a stereo pair above which to warn: a camera at 2 m/s moves 2 mm in it.
_MAX_OFFSET_NS = 1_000_000
# Share of frames covered by the ground truth below which to warn.
_MIN_COVERED_SHARE = 0.5


def sequence_findings(sequence: Sequence) -> list[Finding]:
    """Check all stamps, the calibration and a sample of images; faults become findings at ERROR level."""
    return [
        *(judged("source", "note", shortened(note, 400), "") for note in sequence.notes),
        *_ground_truth(sequence),
        *_time(sequence),
        *_pairing(sequence),
        *calibration_findings(sequence.camera, sequence.rig),
        *_images(sequence),
    ]


def _time(sequence: Sequence) -> list[Finding]:
    stamps = [entry.stamp_ns for entry in sequence.entries]
    duration = 1e-9 * (stamps[-1] - stamps[0])
    figure, values = f"{len(stamps)} in {duration:.4g} s", {"frames": len(stamps), "duration_s": duration}
    if len(stamps) < 2:
        alone = Finding("time", "frames", figure, Level.ERROR, "a motion takes two frames, and there is one", values)
        return [alone]
    frames = judged("time", "frames", figure, "", **values)
    return [frames, *timing_findings("time", stamps, lambda index: sequence.entries[index].image.name)]


def _pairing(sequence: Sequence) -> list[Finding]:
    offsets = np.array([entry.offset_ns for entry in sequence.entries if entry.offset_ns is not None])
    if not offsets.size:
        return []
    median, largest = float(np.median(offsets)) / 1e6, float(np.abs(offsets).max()) / 1e6
    stereo = sequence.rig is not None
    advice = ""
    if stereo and largest * 1e6 > _MAX_OFFSET_NS:
        advice = "a moving pair that is not synchronous measures wrong depths: trigger the cameras together"
    names = "right after left" if stereo else "depth after image"
    figure = f"{names} by {median:.3g} ms (median), at most {largest:.3g} ms apart"
    return [judged("time", "sync", figure, advice, median_ms=median, largest_ms=largest)]


def _ground_truth(sequence: Sequence) -> list[Finding]:
    truth, fault = sequence.ground_truth, sequence.ground_truth_fault
    if fault:
        return [judged("source", "ground truth", "cannot be used", fault)]
    if truth is None or not len(truth):
        return [judged("source", "ground truth", "none", "")]
    stamps = np.array([entry.stamp_ns for entry in sequence.entries])
    covered = float(((stamps >= truth.stamps_ns[0]) & (stamps <= truth.stamps_ns[-1])).mean())
    advice = ""
    if not covered:
        advice = "it is of another time than the images: check the stamps of both"
    elif covered < _MIN_COVERED_SHARE:
        advice = "the other frames are not compared"
    figure = f"{len(truth)} poses, over the time of {100 * covered:.0f} % of the frames"
    return [judged("source", "ground truth", figure, advice, poses=len(truth), covered_share=covered)]


def _images(sequence: Sequence) -> list[Finding]:
    survey = ImageSurvey()
    damaged: list[str] = []
    try:
        for index in _sampled(len(sequence)):
            pair = [_decoded(sequence, i, damaged) for i in (index - 1, index) if i >= 0]
            if pair[-1] is not None:
                survey.add(pair[-1], pair[0] if len(pair) > 1 else None)
        pixels = _pixels(sequence)
    except SequenceError as fault:
        return [error("images", "images", fault)]
    depth = survey.depth_finding(*_unit(sequence))
    return [*pixels, *_damaged(damaged, survey.frames), *survey.findings(), *depth]


def _sampled(frames: int) -> list[int]:
    """Return evenly spaced indices of the frames to decode, each together with the frame before."""
    return sorted({round(index) for index in np.linspace(min(1, frames - 1), frames - 1, SAMPLES)})


def _decoded(sequence: Sequence, index: int, damaged: list[str]) -> Frame | None:
    """Decode a frame; append the error of a damaged image to `damaged`. Raises SequenceError for other errors."""
    try:
        return sequence[index]
    except DamagedImageError as fault:
        if str(fault) not in damaged:
            damaged.append(str(fault))
        return None


def _pixels(sequence: Sequence) -> list[Finding]:
    """Return the finding on size and data type of the first readable image."""
    for entry in sequence.entries[:SAMPLES]:
        try:
            image = read_as_stored(entry.image)
        except DamagedImageError:
            continue
        height, width = image.shape[:2]
        kind = "color" if image.ndim == 3 else "gray"
        notes = "; ".join([*bit_depth(sequence), *exif_orientation(sequence)])
        figure = f"{width}x{height}, {8 * image.itemsize} bits, {kind}" + (f"; {notes}" if notes else "")
        return [judged("images", "format", figure, "", width_px=width, height_px=height, bits=8 * image.itemsize)]
    return []


def _damaged(damaged: list[str], readable: int) -> list[Finding]:
    if not damaged:
        return []
    figure = f"{len(damaged)} of those looked at"
    values = {"damaged": len(damaged)}
    if not readable:
        return [Finding("images", "damaged", figure, Level.ERROR, f"no image can be read: {damaged[0]}", values)]
    return [judged("images", "damaged", figure, f"they are skipped: {shortened(damaged[0], 300)}", **values)]


def _unit(sequence: Sequence) -> tuple[str, bool]:
    """Return the unit of the depth images as text, and whether it is assumed."""
    first = next((entry.depth for entry in sequence.entries if entry.depth is not None), None)
    try:
        is_metric = first is not None and read_as_stored(first).dtype.kind == "f"
    except SequenceError:
        is_metric = False
    if is_metric:
        return "in meters", False
    source = sequence.depth_units_source
    return f"{sequence.depth_units_per_meter:g} counts a meter ({source})", sequence.depth_units_assumed
