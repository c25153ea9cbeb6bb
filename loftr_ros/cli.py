"""The `loftr-ros` program: dispatches to the commands and maps errors to exit codes."""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence

from loftr_ros import __version__
from loftr_ros.errors import LoftrRosError
from loftr_ros.memory import reporting_lack_of_memory

COMMANDS = {
    "run": "estimate the motion of a recorded sequence",
    "check": "check a sequence or live topics for problems",
    "evaluate": "evaluate a trajectory against ground truth",
    "report": "write an HTML page about a run",
    "compare": "write an HTML page about several runs",
    "match": "match two images and draw the matches",
    "play": "publish a recorded sequence as ROS topics",
    "record": "record odometry from a ROS topic",
    "demo": "run the node on a rendered room and evaluate its odometry",
    "train": "train a checkpoint",
    "weights": "list, describe and fetch checkpoints",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, 1 without a result, 2 for a user error, or 130 for Ctrl-C."""
    _escape_unprintable()
    args = _parse(sys.argv[1:] if argv is None else argv)
    try:
        with reporting_lack_of_memory():
            return int(args.main(args))
    except LoftrRosError as error:
        print(f"loftr-ros: error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # of standard output, such as `loftr-ros ... > FILE` on a full disk
        print(f"loftr-ros: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("loftr-ros: interrupted", file=sys.stderr)
        return 130


def _escape_unprintable() -> None:
    """Escape characters that the terminal cannot encode, as in file names, instead of raising UnicodeEncodeError."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="loftr-ros", description="Visual odometry from LoFTR matches.")
    parser.add_argument("--version", action="version", version=f"loftr_ros {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        # Import only the requested command, for a fast start.
        if name in argv[:1]:
            module = importlib.import_module(f"loftr_ros.commands.{name}")
            module.add_arguments(command)
            command.set_defaults(main=module.main)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
