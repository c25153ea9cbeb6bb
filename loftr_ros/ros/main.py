"""The program `vo_node`. What takes long to import is imported when signals are taken care of."""

from __future__ import annotations

import traceback
from typing import NoReturn

from loftr_ros.ros.ending import StopSignals, leave


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the node until it is told to stop, and end the process: with 0, or 2 for an error of the user's."""
    leave(run(argv))


def run(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM. Returns the exit code."""
    signals = StopSignals()
    try:
        from loftr_ros.ros.node_process import run_node

        return run_node(argv, signals.on_stop)
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        signals.ended()


if __name__ == "__main__":
    main()
