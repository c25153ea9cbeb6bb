"""Command line options shared by several commands, and their types."""

from __future__ import annotations

import argparse

from loftr_ros.loftr.network.config import MAX_PIXELS


def positive(text: str) -> float:
    """Parse a number above 0."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def positive_int(text: str) -> int:
    """Parse a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def counts_per_meter(text: str) -> float:
    """Parse the scale of depth images; rejects its inverse, a common mistake."""
    value = float(text)
    if not 1 <= value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"{text} is not a number of counts per meter: give 1000 for millimeters, not 0.001"
        )
    return value


def add_matcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `load_matcher`."""
    parser.add_argument(
        "--checkpoint",
        default="compact",
        metavar="NAME|FILE|PRESET=FILE",
        help="LoFTR weights, see loftr-ros weights list (default: compact, embedded in the package)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument(
        "--max-pixels",
        type=positive_int,
        default=MAX_PIXELS,
        metavar="N",
        help="downscale larger images to about this many pixels for matching (default: %(default)s)",
    )
    parser.add_argument(
        "--max-matches",
        type=positive_int,
        default=0,
        metavar="N",
        help="keep the N most confident matches (default: all)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16", "float16"),
        default="auto",
        help="inference precision (default: auto, the fastest on the device that keeps the accuracy)",
    )
