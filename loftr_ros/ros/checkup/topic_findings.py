"""Findings on single topics, and on the synchronization of two streams."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from loftr_ros.checkup.findings import Finding, Level, judged
from loftr_ros.checkup.timing import timing_findings
from loftr_ros.ros.checkup.topic_log import TopicLog
from loftr_ros.ros.messages.stamp_order import Order, StampOrder
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.transforms.extrinsic import refused_by_tf

# Age limits, seconds: of live images, of stamps in the future, and the least of a recording.
_LATE_S, _EARLY_S, _RECORDED_S = 1.0, 0.05, 3600.0
_MIN_PAIRED_SHARE = 0.9  # share of the images; a few may be lost in transport


def stream_findings(topic: str, log: TopicLog, base_frame: str) -> list[Finding]:
    """Check the images of one topic, of which at least one arrived."""
    orders = StampOrder()
    judgments = [orders.judge(stamp) for stamp in log.stamps_ns]
    increasing = [stamp for stamp, order in zip(log.stamps_ns, judgments, strict=True) if order is Order.NEXT]
    timing = [] if Order.JUMP in judgments else timing_findings(topic, increasing, lambda i: f"image {i + 1}")
    return [_received(topic, log), _stamps(topic, log, judgments), *timing, _frame_id(topic, log, base_frame)]


def _received(topic: str, log: TopicLog) -> Finding:
    seconds = 1e-9 * (log.arrivals_ns[-1] - log.arrivals_ns[0])
    rate = (len(log) - 1) / seconds if seconds > 0 else 0.0
    bandwidth = 1e-6 * log.bytes / len(log) * rate
    figure = f"{len(log)} images, {rate:.3g} Hz by arrival, {bandwidth:.3g} MB/s"
    advice = "odometry needs two images: is the camera running?" if len(log) < 2 else ""
    return judged(topic, "received", figure, advice, images=len(log), arrival_hz=rate, mb_per_s=bandwidth)


def _stamps(topic: str, log: TopicLog, judgments: list[Order]) -> Finding:
    age = float(np.median(np.array(log.arrivals_ns) - np.array(log.stamps_ns))) * 1e-9
    counts = Counter(judgments)
    zeros = log.stamps_ns.count(0)
    backwards, duplicates = counts[Order.STALE] + counts[Order.JUMP], counts[Order.DUPLICATE]
    figure = f"{_age(age)}; {backwards or 'none'} go back, {duplicates or 'none'} repeat"
    values = {"age_s": age, "backwards": backwards, "duplicates": duplicates, "zeros": zeros}
    if len(log) > 1 and counts[Order.NEXT] <= 1:
        fault = "they are zero" if zeros else "they do not increase"
        return Finding(topic, "stamps", figure, Level.ERROR, f"{fault}: let the driver stamp each image", values)
    return judged(topic, "stamps", figure, _advice_on_stamps(age, backwards, duplicates), **values)


def _advice_on_stamps(age: float, backwards: int, duplicates: int) -> str:
    if backwards:
        return "images are reordered or time jumps: check the driver, and that only one recording is playing"
    if duplicates:
        return "two publishers, or a driver that sends images twice: end one, or drop the repeated images"
    if _LATE_S < age < _RECORDED_S:
        return "high latency, or clocks that differ: look for a queue, or synchronize the clocks (chrony, PTP)"
    if age < -_EARLY_S:
        return "the stamps are in the future: synchronize the clocks, or set use_sim_time with a recording's --clock"
    return ""


def _age(age: float) -> str:
    if abs(age) < _RECORDED_S:
        return f"{1e3 * age:.3g} ms old on arrival (median)"
    return f"{abs(age) / 86400:.3g} days away from now, as in a recording"


def _frame_id(topic: str, log: TopicLog, base_frame: str) -> Finding:
    names = sorted(log.frame_ids)
    advice = next((reason for reason in (refused_by_tf(name, base_frame) for name in names) if reason), "")
    if len(names) > 1:
        advice = "it changes between images: two cameras publish this topic"
    return judged(topic, "frame_id", ", ".join(map(repr, names)), advice, frame_id=names[0])


def pair_findings(topics: tuple[str, str], logs: tuple[TopicLog, TopicLog], mode: str, sync: str) -> list[Finding]:
    """Check the synchronization of left and right, or of image and depth."""
    first, second = (np.array(log.stamps_ns, np.int64) for log in logs)
    both = (first >= second.min()) & (first <= second.max())  # the partner of the last image may still be in transit
    first = first[both] if both.any() else first
    nearest = np.array([second[np.abs(second - stamp).argmin()] - stamp for stamp in first])
    exact = float((nearest == 0).mean())
    median, largest = 1e-6 * float(np.median(nearest)), 1e-6 * float(np.abs(nearest).max())
    figure = f"{100 * exact:.0f} % have equal stamps, the others differ by up to {largest:.3g} ms (median {median:.3g})"
    if exact == 1:
        figure = "all images have a partner with the same stamp"
    values = {"equal_share": exact, "median_ms": median, "largest_ms": largest}
    advice = ""
    if sync == "exact" and exact < _MIN_PAIRED_SHARE:
        advice = f"set sync to approximate and sync_slop to more than {largest / 1e3:.4f}, or synchronize the cameras"
        if mode == "stereo":
            advice += ": stereo depth is wrong in motion without synchronized exposure"
    level = Level.OK if not advice else Level.ERROR if exact == 0 else Level.WARNING
    subject = " + ".join(topics)
    return [Finding(subject, "sync", figure, level, advice, values), *_same_frame(subject, logs, mode)]


def _same_frame(subject: str, logs: tuple[TopicLog, TopicLog], mode: str) -> list[Finding]:
    frames = [", ".join(sorted(log.frame_ids)) for log in logs]
    if mode != "rgbd" or frames[0] == frames[1]:
        return []
    figure = f"'{frames[1]}' of the depth, '{frames[0]}' of the image"
    advice = "depth has to be registered to the image: use the aligned or registered topic"
    return [judged(subject, "depth frame_id", figure, advice)]


def is_given(p: VoParameters) -> bool:
    """Return whether the extrinsics are those of the parameters, so that TF is not used."""
    return p.extrinsic_source == "parameters" or (p.extrinsic_source == "auto" and any(_pose(p)))


def extrinsics_finding(
    p: VoParameters, frame: str, T_base_camera: NDArray[np.float64] | None, tf_is_installed: bool
) -> Finding:
    """Check the extrinsics of the camera.

    Args:
        p: of the node.
        frame: of the images.
        T_base_camera: (4, 4) from TF; None if it is missing there, or TF is not used.
        tf_is_installed: whether tf2_ros is.
    """
    if is_given(p):
        pose = ", ".join(f"{value:.3g}" for value in _pose(p))
        return judged("extrinsics", "camera on base", f"{pose} by the parameters camera_x ... camera_yaw", "")
    if T_base_camera is not None:
        x, y, z = T_base_camera[:3, 3].tolist()
        return judged(
            "extrinsics", "camera on base", f"x {x:.3g}, y {y:.3g}, z {z:.3g} m by TF", "", x_m=x, y_m=y, z_m=z
        )
    figure = (
        f"TF has no transform from {frame} to {p.base_frame}" if tf_is_installed else "tf2_ros is not installed here"
    )
    advice = refused_by_tf(frame, p.base_frame) or (
        "publish that transform (robot_state_publisher or static_transform_publisher), or set camera_x ... camera_yaw; "
        "else the camera is assumed at the origin of the base, looking forward"
    )
    return judged("extrinsics", "camera on base", figure, advice)


def _pose(p: VoParameters) -> tuple[float, ...]:
    return (p.camera_x, p.camera_y, p.camera_z, p.camera_roll, p.camera_pitch, p.camera_yaw)
