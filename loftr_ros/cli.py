"""The `loftr-ros` program: finds the command, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence

from loftr_ros import __version__
from loftr_ros.errors import LoftrRosError

COMMANDS = {
    "run": "estimate the motion of a recorded sequence",
    "check": "tell what a sequence or live topics hold, and what is wrong with them",
    "evaluate": "measure a trajectory against ground truth",
    "match": "match two images and draw the matches",
    "play": "publish a recorded sequence as ROS topics",
    "record": "record odometry from a ROS topic",
    "demo": "run the node on a rendered room and measure it",
    "train": "train a checkpoint on rendered scenes",
    "weights": "list, describe and fetch checkpoints",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, 2 for an error of the user's, 1 where nothing came out, or 130 for Ctrl-C."""
    _print_any_name()
    args = _parse(sys.argv[1:] if argv is None else argv)
    try:
        return int(args.main(args))
    except LoftrRosError as error:
        print(f"loftr-ros: error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # of the output itself: `loftr-ros ... > FILE` on a full disk
        print(f"loftr-ros: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("loftr-ros: interrupted", file=sys.stderr)
        return 130


def _print_any_name() -> None:
    """Escape what the terminal cannot show, as in the name of a file, instead of ending with an UnicodeEncodeError."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="loftr-ros", description="Visual odometry from LoFTR matches.")
    parser.add_argument("--version", action="version", version=f"loftr_ros {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        # Only the command that is asked for is imported.
        if name in argv[:1]:
            module = importlib.import_module(f"loftr_ros.commands.{name}")
            module.add_arguments(command)
            command.set_defaults(main=module.main)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
