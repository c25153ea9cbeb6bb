"""The trajectory so far, written during a run: what remains if the process is killed or the machine loses power."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from loftr_ros.evaluation.trajectory import Trajectory, tum_rows
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.output import OutputError

LIVE_FILE = "trajectory.live.tum"


class LiveTrajectory:
    """Appends poses to a file in TUM format, and hands each row to the operating system at once."""

    def __init__(self, folder: Path, start: Trajectory | None = None) -> None:
        """Create the file, or replace that of a killed run; `start` holds its poses if it is resumed.

        Raises:
            OutputError: the file cannot be written.
        """
        self._path = folder / LIVE_FILE
        try:
            self._file = self._path.open("w", buffering=1)
            if start is not None:
                self._file.writelines(tum_rows(start))
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}.") from error

    def add(self, estimate: OdometryEstimate) -> None:
        """Append the pose of the next frame; a full disk is reported when the results are written."""
        with suppress(OSError):
            self._file.writelines(tum_rows(Trajectory.from_estimates([estimate])))

    def remove(self) -> None:
        """Remove the file: the results have replaced it."""
        with suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)
