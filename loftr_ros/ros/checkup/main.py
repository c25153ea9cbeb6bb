"""The program `check`: `ros2 run loftr_ros check` is `loftr-ros check`, which listens to live topics without SOURCE."""

from __future__ import annotations

import sys

from loftr_ros import cli


def main() -> int:
    """Run the command. Returns the exit code."""
    return cli.main(["check", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
