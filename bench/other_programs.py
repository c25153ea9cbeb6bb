"""Other odometry programs as rows of bench/odometry.py: each in its own process and environment, on the same frames.

So a program under any license, or with other requirements, can be compared: nothing of it is imported.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from data import BenchError
from runs import Run
from sequences import BenchmarkSequence

from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.ate import associate, evaluate
from loftr_ros.evaluation.trajectory import Trajectory, read_tum

# Names of the trajectory in the output folder; the first one that is there: causal poses are preferred.
TRAJECTORIES = ("online.tum", "trajectory.tum")
_PLACEHOLDERS = ("{source}", "{mode}", "{stride}", "{output}")


@dataclass(frozen=True)
class OtherProgram:
    """A program that writes a trajectory.

    Attributes:
        name: of its rows.
        command: with placeholders for the sequence, the mode, the stride and the output folder.
    """

    name: str
    command: str

    @staticmethod
    def parse(text: str) -> OtherProgram:
        """Parse NAME=COMMAND. Raises BenchError."""
        name, _, command = text.partition("=")
        if not name or not all(placeholder in command for placeholder in _PLACEHOLDERS):
            raise BenchError(f"--program {text} is not NAME=COMMAND with {', '.join(_PLACEHOLDERS)} in the command.")
        return OtherProgram(name, command)

    def run(self, benchmark: BenchmarkSequence, stride: int) -> Trajectory:
        """Run it on a sequence; return the poses that it tracked. Raises BenchError with the end of its output."""
        with TemporaryDirectory() as folder:
            values = {"source": benchmark.source, "mode": benchmark.mode, "stride": stride, "output": folder}
            command = [part.format(**values) for part in shlex.split(self.command)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
            except OSError as error:
                raise BenchError(f"{self.name} cannot be started: {error.strerror}.") from error
            written = [Path(folder) / name for name in TRAJECTORIES if (Path(folder) / name).is_file()]
            if not written:
                last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
                raise BenchError(f"{self.name} wrote none of {', '.join(TRAJECTORIES)}: {last}")
            try:
                return read_tum(written[0])
            except LoftrRosError as error:
                raise BenchError(f"{self.name} lost all frames, or wrote no trajectory: {error}") from error


def rows(
    name: str, tracked: Trajectory, benchmark: BenchmarkSequence, stride: int, ours: dict[str, Trajectory]
) -> list[Run]:
    """Return the row of a program, and those of our methods on the frames that it tracked.

    Args:
        name: of the program.
        tracked: its poses.
        benchmark: the sequence.
        stride: of both.
        ours: poses of all frames by method.
    """
    frames = len(benchmark.sequence.every(stride))
    scaled = benchmark.mode == "mono"
    lost = 100.0 * (1.0 - len(tracked) / frames)
    nan = float("nan")
    found = [Run(name, stride, frames, evaluate(tracked, benchmark.truth, scaled), lost, nan, nan, nan)]
    for method, poses in ours.items():
        common, _ = associate(poses, tracked)
        errors = evaluate(common, benchmark.truth, scaled)
        found.append(Run(f"{method}, frames of {name}", stride, len(common), errors, nan, nan, nan, nan))
    return found
