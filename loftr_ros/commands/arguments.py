"""Command line arguments that several commands use, and their types."""

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
    """Parse a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def counts_per_metre(text: str) -> float:
    """Parse the scale of depth images, which some write the other way round."""
    value = float(text)
    if not 1 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not the counts in a meter: give 1000 for millimeters, not 0.001")
    return value


def add_matcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `load_matcher` is given."""
    parser.add_argument(
        "--checkpoint",
        default="compact",
        metavar="NAME|FILE|PRESET=FILE",
        help="weights of LoFTR, see loftr-ros weights list (default: compact, which comes with the package)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument(
        "--max-pixels",
        type=positive_int,
        default=MAX_PIXELS,
        metavar="N",
        help="shrink larger images to about this for matching (default: %(default)s)",
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
        help="numbers that the network computes with (default: auto, the fastest of the device that does no harm)",
    )
