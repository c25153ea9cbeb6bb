"""The program `vo_node`. Slow imports follow after the signal handlers are set."""

from __future__ import annotations

import traceback
from typing import NoReturn

from loftr_ros.ros.shutdown import StopSignals, leave


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the node until SIGINT, SIGTERM or SIGHUP, and exit: with 0, or 2 for an invalid parameter or input."""
    leave(run(argv))


def run(argv: list[str] | None = None) -> int:
    """Run the node until it is told to stop. Returns the exit code."""
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
