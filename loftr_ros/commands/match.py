"""`loftr-ros match`: the matches of two images as a picture, and their relative pose if the camera is calibrated."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loftr_ros.commands.arguments import add_matcher_arguments
from loftr_ros.errors import LoftrRosError, NoPoseError
from loftr_ros.output import make_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from loftr_ros.matches import Matches
    from loftr_ros.odometry.geometry.camera import Camera


class MatchError(LoftrRosError):
    """Two images that cannot be matched."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("image_a", type=Path, metavar="A", help="the first image")
    parser.add_argument("image_b", type=Path, metavar="B", help="the second image")
    parser.add_argument("--output", type=_picture, required=True, metavar="FILE", help="picture to write (png or jpg)")
    parser.add_argument(
        "--camera",
        type=Path,
        metavar="YAML",
        help="calibration file of camera_calibration: also estimate the pose of b in a",
    )
    parser.add_argument(
        "--camera-b", type=Path, metavar="YAML", help="calibration of the second image, if taken by another camera"
    )
    add_matcher_arguments(parser)
    parser.add_argument(
        "--no-subpixel-refinement", action="store_true", help="skip the sub-pixel refinement of the matches"
    )
    parser.add_argument("--matches", type=_table_file, metavar="FILE", help="write the matches (csv or npz)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def main(args: argparse.Namespace) -> int:
    """Match, draw, print; the picture is written even without a pose."""
    import numpy as np

    from loftr_ros.loftr.runtime.budget import ComputeBudget
    from loftr_ros.loftr.runtime.matcher import load_matcher
    from loftr_ros.odometry.pose.relative_pose import relative_pose
    from loftr_ros.reports.match_report import figures_of, print_figures, write_matches, write_picture

    images = _read_image(args.image_a), _read_image(args.image_b)
    cameras = _read_cameras(args, images)
    for path in (args.output, args.matches):
        if path is not None:
            make_folder(path.parent, path.name)
    matcher = load_matcher(
        args.checkpoint, args.device, ComputeBudget(args.max_pixels, args.max_matches), args.precision
    )
    matches, milliseconds = _match(matcher, *images, refined=not args.no_subpixel_refinement)
    pose = relative_pose(matches, *cameras) if cameras else None
    inliers = pose.inliers if pose else np.full(len(matches), cameras is None)
    figures = figures_of(matches, milliseconds, pose)
    write_picture(args.output, *images, matches, inliers, figures)
    if args.matches is not None:
        write_matches(args.matches, matches, inliers)
    if cameras and pose is None:
        raise NoPoseError(
            f"{args.image_a} and {args.image_b} have {len(matches)} matches, of which too few are consistent with one "
            f"motion: the images must overlap, show texture and fit the calibration (see the matches in {args.output})."
        )
    print_figures(figures, args.output, as_json=args.json)
    return 0


def _picture(text: str) -> Path:
    return _with_suffix(text, ".png", ".jpg", ".jpeg")


def _table_file(text: str) -> Path:
    return _with_suffix(text, ".csv", ".npz")


def _with_suffix(text: str, *suffixes: str) -> Path:
    path = Path(text)
    if path.suffix not in suffixes:
        raise argparse.ArgumentTypeError(f"{text} does not end in {' or '.join(suffixes)}")
    return path


def _read_image(path: Path) -> NDArray[np.uint8]:
    from loftr_ros.loftr.runtime.matcher import MIN_SIDE
    from loftr_ros.sequences.images import read_grey

    image = read_grey(path)
    if min(image.shape) < MIN_SIDE:
        raise MatchError(f"{path} is {_size(image)} pixels; LoFTR needs at least {MIN_SIDE}x{MIN_SIDE}.")
    return image


def _read_cameras(args: argparse.Namespace, images: tuple[NDArray[np.uint8], ...]) -> tuple[Camera, Camera] | None:
    """Return the cameras of both images, or None without --camera."""
    import sys

    from loftr_ros.odometry.geometry.calibration_check import resize_hint, unlikely
    from loftr_ros.sequences.camera_yaml import read_calibration

    if args.camera is None:
        if args.camera_b is not None:
            raise MatchError("--camera-b is for the second image only; give --camera for the first.")
        return None
    files = args.camera, args.camera_b or args.camera
    cameras = read_calibration(files[0]).raw, read_calibration(files[1]).raw
    for path, image, file, camera in zip((args.image_a, args.image_b), images, files, cameras, strict=True):
        if image.shape != (camera.height, camera.width):
            raise MatchError(
                f"{path} is {_size(image)} pixels, but {file} is a calibration for {camera.width}x{camera.height}; "
                "calibrate at this resolution, or give --camera-b if the images come from two cameras"
                f"{resize_hint(camera, *image.shape[::-1])}."
            )
    for file, camera in dict(zip(files, cameras, strict=True)).items():
        for warning in unlikely(camera):
            print(f"loftr-ros: warning: {file}: {warning}", file=sys.stderr)
    return cameras


def _size(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _match(
    matcher: Any, image_a: NDArray[np.uint8], image_b: NDArray[np.uint8], refined: bool
) -> tuple[Matches, dict[str, float]]:
    """Return the matches, and the milliseconds by stage."""
    from time import perf_counter

    import numpy as np

    from loftr_ros.odometry.config import OdometryConfig
    from loftr_ros.odometry.images.structure_tensor import StructureTensor
    from loftr_ros.odometry.images.subpixel import refine_subpixel

    times = [perf_counter()]
    features = matcher.extract(image_a), matcher.extract(image_b)
    times.append(perf_counter())
    matches = matcher.match(*features)
    times.append(perf_counter())
    if refined:
        image_a, image_b = _of_one_size(image_a, image_b)
        matches = refine_subpixel(StructureTensor(image_a), image_b, matches, OdometryConfig().subpixel_max_shift_px)
    times.append(perf_counter())
    milliseconds = (1e3 * np.diff(times)).round(1).tolist()
    return matches, dict(zip(("extract", "match", "subpixel"), milliseconds, strict=True))


def _of_one_size(image_a: NDArray[np.uint8], image_b: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pad images at the right and bottom to a common size, as optical flow requires."""
    import numpy as np

    height, width = np.maximum(image_a.shape, image_b.shape)

    def extended(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1])), mode="edge")

    return extended(image_a), extended(image_b)
