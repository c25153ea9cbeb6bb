"""`loftr-ros evaluate`: errors of a trajectory against ground truth as table, JSON and plots."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loftr_ros.commands.arguments import positive
from loftr_ros.commands.report import RUN_HELP
from loftr_ros.commands.sequence_input import print_remark
from loftr_ros.errors import LoftrRosError
from loftr_ros.output import make_folder
from loftr_ros.runs.places import LATEST, given_run

if TYPE_CHECKING:
    from loftr_ros.evaluation.ate import Alignment


class EvaluationError(LoftrRosError):
    """Input that cannot be evaluated."""


@dataclass(frozen=True)
class Input:
    """Files of an evaluation.

    Attributes:
        trajectory: file of the estimate.
        truth: file of the ground truth.
        scale_known: whether the estimate is in meters according to its report; True for a trajectory file.
        stem: path of the results without suffix.
    """

    trajectory: Path
    truth: Path
    scale_known: bool
    stem: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "run",
        type=Path,
        nargs="?",
        default=Path(LATEST),
        metavar="RUN",
        help=f"folder of loftr-ros run, or trajectory file in TUM or KITTI format {RUN_HELP}",
    )
    parser.add_argument(
        "--groundtruth",
        type=Path,
        metavar="FILE",
        help="ground truth in TUM or KITTI format (default: that of the folder)",
    )
    parser.add_argument("--times", type=Path, metavar="FILE", help="stamps of KITTI poses, in seconds, one per line")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the results (default: that of RUN)")
    parser.add_argument(
        "--align",
        choices=("auto", "se3", "sim3", "origin", "none"),
        default="auto",
        help="least squares without or with scale, first pose, or none; auto is sim3 for a run whose report says that "
        "the scale is unknown, else se3 (default: auto)",
    )
    parser.add_argument("--delta", type=positive, default=1.0, metavar="N", help="delta of the RPE (default: 1)")
    parser.add_argument(
        "--delta-unit", choices=("frames", "m"), default="frames", help="unit of --delta (default: frames)"
    )
    parser.add_argument(
        "--max-difference",
        type=positive,
        default=0.02,
        metavar="S",
        help="maximum time difference of associated poses, seconds (default: %(default)s)",
    )


def main(args: argparse.Namespace) -> int:
    """Read, associate, align, evaluate, write, print."""
    from loftr_ros.evaluation.ate import align_to, associate
    from loftr_ros.evaluation.report import Evaluation, warnings, write_evaluation
    from loftr_ros.evaluation.trajectory import read_trajectory

    args.run = given_run(args.run)
    given = _find(args)
    estimate, truth = (read_trajectory(path, args.times) for path in (given.trajectory, given.truth))
    poses = len(estimate)
    estimate, truth = associate(estimate, truth, args.max_difference)
    alignment: Alignment = ("se3" if given.scale_known else "sim3") if args.align == "auto" else args.align
    similarity = align_to(estimate, truth, alignment)
    estimate = similarity.move(estimate)
    evaluation = Evaluation.of(estimate, truth, alignment, similarity.scale, args.delta, args.delta_unit)
    make_folder(given.stem.parent)
    inputs = {
        "run": str(args.run),
        "groundtruth": str(given.truth),
        "max_difference_s": args.max_difference,
    }
    write_evaluation(given.stem, evaluation, inputs, estimate, truth)
    evaluation.print(given.stem.parent)
    for warning in warnings(evaluation, estimate, truth, poses):
        print_remark("warning", warning)
    return 0


def _find(args: argparse.Namespace) -> Input:
    """Find the files of a run, or use the given ones."""
    from loftr_ros.reports.run_log import TRAJECTORY_FILE, TRUTH_FILE, read_scale_known

    if not os.path.exists(args.run):  # noqa: PTH110  Path.exists raises OSError for names that are too long or private
        raise EvaluationError(f"{args.run} does not exist.")
    if not args.run.is_dir():
        if args.groundtruth is None:
            raise EvaluationError(
                f"{args.run} is not a folder of a run, so its ground truth is unknown; give --groundtruth FILE."
            )
        stem = (args.output or args.run.parent) / f"{args.run.stem}_evaluation"
        return Input(args.run, args.groundtruth, scale_known=True, stem=stem)
    truth = args.groundtruth or args.run / TRUTH_FILE
    scale_known = read_scale_known(args.run)
    if args.groundtruth is None and not truth.is_file():
        raise EvaluationError(f"{args.run} has no ground truth, as its source had none; give --groundtruth FILE.")
    stem = (args.output or args.run) / "evaluation"
    return Input(args.run / TRAJECTORY_FILE, truth, scale_known, stem)
