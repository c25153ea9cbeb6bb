"""Opens a bag of ROS 1 or ROS 2 as a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError
from loftr_ros.messages.calibration import Calibration
from loftr_ros.messages.camera_choice import INFO, info_topic
from loftr_ros.messages.camera_info import (
    CameraInfo,
    baseline_from_calibration,
    baseline_from_transform,
    camera_from_info,
)
from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.geometry.camera import Camera, CameraError
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.sequences.errors import DamagedImageError, MissingSensorError, NoFramesError, SequenceError
from loftr_ros.sequences.guessed_camera import FieldOfView, calibration_exists, guess_camera
from loftr_ros.sequences.pairing import MAX_DEPTH_DIFFERENCE_NS, pair_depth_stamps, pair_stamps
from loftr_ros.sequences.recordings.bag_file import BagFile
from loftr_ros.sequences.recordings.bag_frames import DYNAMIC_TOPIC, STATIC_TOPIC, FixedFrames, frame_name
from loftr_ros.sequences.recordings.bag_images import BagImage
from loftr_ros.sequences.recordings.bag_index import BagIndex, read_index
from loftr_ros.sequences.recordings.bag_topics import CameraTopics, choose_topics, without_transport
from loftr_ros.sequences.recordings.bag_truth import PoseSource, RecordedPoses, choose_truth, requested_poses
from loftr_ros.sequences.recordings.camera_files import cameras_of_files
from loftr_ros.sequences.sequence import Entry, Sequence

UNITS_PER_METER = 1000.0  # of integer depth images (REP 118)
_FIRST_IMAGES = 8  # of which one has to tell the frame


def open_bag(
    path: Path,
    mode: Mode,
    depth_scale: float | None = None,
    topics: Mapping[str, str] | None = None,
    camera: Items[Path] = (),
    fov: FieldOfView | None = None,
) -> Sequence:
    """Open a bag; one pass reads the stamps, and images are read when they are needed.

    Args:
        path: file or folder.
        mode: sensors that the frames must have.
        depth_scale: counts of an integer depth image per meter; None: 1000.
        topics: by role (image, left, right, depth, truth, wheels); None: those of the only camera of the mode.
        camera: calibration files, which replace those of the bag.
        fov: guess the calibration of a single camera from it.

    Raises:
        SequenceError: the bag is damaged, or has no camera of the mode, or several, or no calibration.
    """
    requested = dict(topics or {})
    bag = BagFile(path)
    truth, truth_notes = choose_truth(bag.topics, requested.pop("truth", None), str(path))
    wheels = requested.pop("wheels", None)
    wheel_poses = requested_poses(bag.topics, "wheels", wheels, str(path)) if wheels else None
    if fov is not None and mode != "mono":
        raise MissingSensorError(f"{path}: only the calibration of a single camera can be guessed; use mode mono.")
    chosen = choose_topics(bag.topics, mode, requested, calibrated=bool(camera) or fov is not None, bag=str(path))
    if fov is not None:
        _check_uncalibrated(bag, chosen, camera, str(path))
    frames, poses = FixedFrames(), {source: RecordedPoses(source) for source in (truth, wheel_poses) if source}
    listeners = _listeners(bag, frames, poses)
    index = read_index(bag, chosen.images, [info for info in chosen.infos if info], listeners)
    entries, pairing = _entries(index, chosen, mode)
    infos = [index.infos[info] for info in chosen.infos if info]
    guess = guess_camera(fov, index.images[chosen.images[0]]) if fov is not None else None
    if guess:
        left, rig = guess.camera, None
    elif camera:
        left, rig = cameras_of_files(camera, mode)
    else:
        left, rig = _cameras(infos, chosen, frames, str(path))
    frame = frame_name(infos[0].header.frame_id) if infos else _frame_of(index.images[chosen.images[0]])
    trajectory, fault, notes = poses[truth].of_camera(frames, frame, path) if truth else (None, "", ())
    return Sequence(
        name=path.resolve().stem,
        camera=left,
        entries=entries,
        ground_truth=trajectory,
        ground_truth_fault=fault,
        depth_units_per_meter=depth_scale or UNITS_PER_METER,
        depth_units_source="--depth-scale" if depth_scale else "REP 118",
        rig=rig,
        wheels=_trajectory(poses[wheel_poses], path) if wheel_poses else None,
        calibration_guess=guess.origin if guess else "",
        notes=(
            *([guess.note] if guess else []),
            f"images from {' and '.join(chosen.images)}",
            *chosen.notes,
            *_rectification(chosen, left),
            *index.notes,
            *pairing,
            *_registration(index, chosen, mode, frame),
            *truth_notes,
            *notes,
        ),
    )


def _check_uncalibrated(bag: BagFile, chosen: CameraTopics, camera: Items[Path], path: str) -> None:
    """Raise SequenceError for a guess of a camera that has a calibration."""
    if camera:
        raise calibration_exists(Path(path), str(camera[0]))
    info = info_topic(without_transport(chosen.images[0]))
    if bag.topics.get(info) == INFO:
        raise calibration_exists(Path(path), info)


def _entries(index: BagIndex, chosen: CameraTopics, mode: Mode) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return the frames, and notes on their pairing."""
    images = index.images[chosen.images[0]]
    if mode == "mono":
        return tuple(Entry(image.stamp_ns, image) for image in images), ()
    seconds = {image.stamp_ns: image for image in index.images[chosen.images[1]]}
    stamps = [image.stamp_ns for image in images]
    pairs, notes = pair_stamps(stamps, list(seconds)) if mode == "stereo" else _pair_depth(stamps, list(seconds))
    paired = [(image, seconds[pairs[image.stamp_ns]]) for image in images if image.stamp_ns in pairs]
    if not paired:
        raise NoFramesError(
            f"No image on {chosen.images[1]} has the stamp of one on {chosen.images[0]}; use mode mono."
        )
    if mode == "stereo":
        made = (Entry(a.stamp_ns, a, right=b, offset_ns=b.stamp_ns - a.stamp_ns) for a, b in paired)
    else:
        made = (Entry(a.stamp_ns, a, depth=b, offset_ns=b.stamp_ns - a.stamp_ns) for a, b in paired)
    return tuple(made), notes


def _pair_depth(images: list[int], depths: list[int]) -> tuple[dict[int, int], tuple[str, ...]]:
    """Return the nearest depth stamp within 20 ms and half a frame by image stamp, and notes."""
    steps = [after - before for before, after in pairwise(images)]
    return pair_depth_stamps(images, depths, min([MAX_DEPTH_DIFFERENCE_NS, *([0.5 * median(steps)] if steps else [])]))


def _cameras(
    infos: list[CameraInfo], chosen: CameraTopics, frames: FixedFrames, bag: str
) -> tuple[Camera, StereoRig | None]:
    """Return the left or only camera, and the rig of a pair, as the node does. Raises SequenceError."""

    def baseline(left: CameraInfo, right: CameraInfo) -> float:
        known = baseline_from_calibration(left, right)
        if known is not None:
            return known
        T_left_right = frames.find(left.header.frame_id, right.header.frame_id)
        if T_left_right is None or not T_left_right[:3, 3].any():
            raise CameraError(
                "the stereo baseline is unknown: P[3] of both camera infos are equal, and tf has no fixed transform "
                f"from '{right.header.frame_id}' to '{left.header.frame_id}'; calibrate the pair as stereo"
            )
        return baseline_from_transform(T_left_right)

    calibration = Calibration(baseline, rectified=chosen.rectified)
    try:
        left, rig = calibration.cameras(tuple(infos))
        if rig is not None and not chosen.rectified and baseline_from_calibration(*infos) is None:
            T_left_right = frames.find(infos[0].header.frame_id, infos[1].header.frame_id)
            if T_left_right is not None:  # also has the rotation, which R of such a calibration lacks
                rig = StereoRig(camera_from_info(infos[1], rectified=False), T_left_right)
    except CameraError as error:
        topics = " and ".join(info for info in chosen.infos if info)
        files = "left.yaml right.yaml" if len(infos) > 1 else "camera.yaml"
        reason = f"{str(error).rstrip('.')}; or give --camera {files}"
        raise SequenceError(f"{bag} has no usable calibration on {topics}: {reason}.") from error
    return left, rig


def _frame_of(images: list[BagImage]) -> str:
    """Return the frame of the first readable image."""
    for image in images[:_FIRST_IMAGES]:
        try:
            return image.frame_id()
        except DamagedImageError:
            continue
    return ""


def _listeners(
    bag: BagFile, frames: FixedFrames, poses: Mapping[PoseSource, RecordedPoses]
) -> dict[str, list[Callable[[Any], None]]]:
    """Return what takes the messages of tf and of poses; /tf is long, and read only for poses."""
    listeners: dict[str, list[Callable[[Any], None]]] = {STATIC_TOPIC: [frames.add_static]}
    if poses:
        listeners[DYNAMIC_TOPIC] = [frames.add_dynamic]
    for source, taker in poses.items():
        listeners.setdefault(source.topic, []).append(taker.add)
    return {topic: takers for topic, takers in listeners.items() if topic in bag.topics}


def _trajectory(poses: RecordedPoses, path: Path) -> Trajectory:
    """Return the poses of the wheels. Raises SequenceError."""
    try:
        return poses.trajectory(path)
    except TrajectoryError as error:
        raise SequenceError(str(error)) from error


def _rectification(chosen: CameraTopics, camera: Camera) -> tuple[str, ...]:
    """Return a note if neither name nor calibration tells whether the images are rectified."""
    named = chosen.rectified or any("raw" in image for image in chosen.images)
    if named or chosen.infos[0] is None or not camera.has_lens:
        return ()
    return (f"images on {chosen.images[0]} are taken as raw, with the distortion of their calibration",)


def _registration(index: BagIndex, chosen: CameraTopics, mode: Mode, frame: str) -> tuple[str, ...]:
    """Return a note on depth in the frame of another camera."""
    depth_frame = _frame_of(index.images[chosen.images[1]]) if mode == "rgbd" else ""
    if not depth_frame or not frame or depth_frame == frame:
        return ()
    return (
        f"the depth images on {chosen.images[1]} are in the frame '{depth_frame}', the images in '{frame}': record "
        "depth that is registered (aligned) to the images",
    )
