"""Updates the example in docs/evaluation.md: LOFTR_ROS_DATA=... python tools/write_evaluation_docs.py

Run it after changes of the odometry or of the table of `loftr-ros evaluate`; a test compares with a tolerance.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "evaluation.md"
BEGIN, END = "<!-- tools/write_evaluation_docs.py: begin -->", "<!-- tools/write_evaluation_docs.py: end -->"
SEQUENCE = "kitti/sequences/06"
RUN = ("run", SEQUENCE, "--mode", "stereo", "--output", "out/06")
EVALUATIONS = (("evaluate", "out/06"), ("evaluate", "out/06", "--align", "sim3"))


def transcript(folder: Path) -> str:
    """Return the commands and the output of the evaluations of the run in `folder`."""
    lines = [f"$ loftr-ros {' '.join(RUN)}"]
    for command in EVALUATIONS:
        lines += [f"$ loftr-ros {' '.join(command)}", *_output(folder, command)]
    return "\n".join(lines)


def example() -> str:
    """Return the example in the page."""
    return _parts()[1].removeprefix("\n```\n").removesuffix("\n```\n")


def _parts() -> tuple[str, str, str]:
    """Split the page at the example: before, example, after."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    middle, _, after = rest.partition(END)
    return before, middle, after


def _output(folder: Path, command: tuple[str, ...]) -> list[str]:
    program = [sys.executable, "-m", "loftr_ros.cli", *command]
    environment = {**os.environ, "COLUMNS": "120"}
    result = subprocess.run(program, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [line.rstrip() for line in result.stdout.splitlines()]


def main() -> None:
    """Run and evaluate the sequence, and update the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "kitti").symlink_to(Path(os.environ["LOFTR_ROS_DATA"]).resolve() / "kitti")
        _output(folder, RUN)
        text = transcript(folder)
    before, _, after = _parts()
    PAGE.write_text(f"{before}{BEGIN}\n```\n{text}\n```\n{END}{after}")


if __name__ == "__main__":
    main()
