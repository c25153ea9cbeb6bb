"""The trajectory so far, written during a run: what remains if the process is killed or the machine loses power."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loftr_ros.evaluation.trajectory import LIVE, Trajectory, tum_rows
from loftr_ros.output import OutputError


class LiveTrajectory:
    """Appends poses to a file in TUM format, and hands each row to the operating system at once.

    The file lies beside that of the results: trajectory.live.tum beside trajectory.tum.
    """

    def __init__(self, results: Path, start: Trajectory | None = None) -> None:
        """Create the file, or replace that of a killed run.

        Args:
            results: trajectory that will replace it; for a device, such as /dev/null, there is none.
            start: the poses so far, if the run is resumed.

        Raises:
            OutputError: the file cannot be written.
        """
        self._path = results.with_name(f"{results.stem}{LIVE}{results.suffix}")
        if results.exists() and not results.is_file():
            self._path = results
        try:
            self._file = self._path.open("w", buffering=1)
            if start is not None:
                self._file.writelines(tum_rows(start))
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}.") from error
        self._is_removed_at_the_end = self._path != results

    def add(self, stamp_ns: int, T: NDArray[np.float64]) -> None:
        """Append the (4, 4) pose of the next frame; a full disk is reported when the results are written."""
        with suppress(OSError):
            self._file.writelines(tum_rows(Trajectory(np.array([stamp_ns], np.int64), T[None])))

    def remove(self) -> None:
        """Remove the file: the results have replaced it."""
        with suppress(OSError):
            self._file.close()
        if self._is_removed_at_the_end:
            self._path.unlink(missing_ok=True)
