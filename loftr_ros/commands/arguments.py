"""Command line options shared by several commands, and their types."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Literal

from loftr_ros.errors import LoftrRosError, shortened
from loftr_ros.loftr.network.config import MAX_PIXELS
from loftr_ros.odometry.config import SPECS
from loftr_ros.parameters import ParameterSpec

# Beyond them are no rates, times or distances, and the times that a thread can wait for.
MIN_POSITIVE, MAX_POSITIVE = 1e-9, 1e9
MAX_INT = 2**31 - 1
# Those of the odometry that another option sets: the mode also selects the images that are read.
SET_OTHERWISE = {"mode": "--mode"}


def positive(text: str) -> float:
    """Parse a number above 0: a rate, a time in seconds, a factor or a distance."""
    value = float(text)
    if not MIN_POSITIVE <= value <= MAX_POSITIVE:
        raise argparse.ArgumentTypeError(f"{shortened(text, 40)} is not from {MIN_POSITIVE:g} to {MAX_POSITIVE:g}")
    return value


def positive_int(text: str) -> int:
    """Parse a whole number of at least 1."""
    value = int(text)
    if not 1 <= value <= MAX_INT:
        raise argparse.ArgumentTypeError(f"{shortened(text, 40)} is not a whole number from 1 to {MAX_INT}")
    return value


def counts_per_meter(text: str) -> float:
    """Parse the scale of depth images; rejects its inverse, a common mistake."""
    value = float(text)
    if not 1 <= value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"{text} is not a number of counts per meter: give 1000 for millimeters, not 0.001"
        )
    return value


def field_of_view(text: str) -> float | Literal["exif"]:
    """Parse an angle in degrees, or exif."""
    if text == "exif":
        return "exif"
    value = float(text)
    if not 1 <= value <= 170:
        raise argparse.ArgumentTypeError(f"{text} is not exif or an angle from 1 to 170 degrees")
    return value


def add_matcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `load_matcher`."""
    parser.add_argument(
        "--checkpoint",
        default="compact",
        metavar="NAME|FILE|PRESET=FILE",
        help="LoFTR weights, see loftr-ros weights list (default: compact)",
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


def add_odometry_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare an option for each field of `OdometryConfig`, grouped by who should change it."""
    settings = [spec for spec in SPECS if spec.name not in SET_OTHERWISE]
    for audience, title in (
        ("everyone", "scale of a single camera"),
        ("tuning", "odometry, to tune it for a platform"),
        ("expert", "odometry, for experts: thresholds of the estimator, chosen on the benchmarks"),
    ):
        add_parameters(parser.add_argument_group(title), (spec for spec in settings if spec.audience == audience))


def odometry_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the values of those options by the fields of `OdometryConfig`."""
    return {spec.name: getattr(args, spec.name) for spec in SPECS if spec.name not in SET_OTHERWISE}


def add_parameters(group: argparse._ArgumentGroup, parameters: Iterable[ParameterSpec]) -> None:
    """Declare an option for each parameter, with its range and default."""
    for spec in parameters:
        option = f"--{spec.name.replace('_', '-')}"
        options: dict[str, Any] = {"default": spec.default, "help": _help(spec)}
        if isinstance(spec.default, bool):
            group.add_argument(option, action=argparse.BooleanOptionalAction, **options)
        elif spec.choices:
            group.add_argument(option, choices=spec.choices, **options)
        else:
            metavar = "N" if isinstance(spec.default, int) else spec.unit.upper() or "RATIO"
            group.add_argument(option, type=partial(_read, spec), metavar=metavar, **options)


def _help(spec: ParameterSpec) -> str:
    default = f"{spec.default:.4g}" if isinstance(spec.default, float) else "%(default)s"
    limits = "" if spec.choices else spec.constraints
    facts = ", ".join(filter(None, (limits, f"default: {default}")))
    return f"{spec.description.replace('%', '%%')} ({facts})"


def _read(spec: ParameterSpec, text: str) -> Any:
    """Read a value of a parameter, and refuse one outside its range."""
    value: Any = text
    with suppress(ValueError):  # a text of another type is refused by the check
        value = type(spec.default)(text)
    try:
        spec.check(value)
    except LoftrRosError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return value
