"""Folders of runs without --output: loftr_runs/NAME_DATE_TIME, and a link to the latest."""

from __future__ import annotations

import itertools
import os
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from loftr_ros.errors import LoftrRosError
from loftr_ros.output import REPORT_FILE, OutputError

ROOT, LATEST = Path("loftr_runs"), "latest"
_MAX_NAME = 80


class LatestRunError(LoftrRosError):
    """There is no latest run."""


def new_folder(name: str, root: Path = ROOT) -> Path:
    """Create a folder with a name and the time, and make `latest` a link to it.

    Args:
        name: of the recording.
        root: folder of all runs.

    Raises:
        OutputError: it cannot be created.
    """
    plain = re.sub(r"[^\w.+-]+", "_", name).strip("_.")[:_MAX_NAME] or "run"
    stem = f"{plain}_{datetime.now():%Y%m%d_%H%M%S}"
    for count in itertools.count(1):
        path = root / (stem if count == 1 else f"{stem}_{count}")
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            if not root.is_dir():
                raise OutputError(f"{root} is a file, but runs are written there: give --output DIR.") from error
        except OSError as error:
            raise OutputError(f"{path} cannot be created: {error.strerror}; give --output DIR.") from error
        else:
            _link(path)
            return path
    raise AssertionError


def given_run(path: Path) -> Path:
    """Return the folder of a run that is given; `latest` stands for the latest one without --output.

    Raises:
        LatestRunError: there is none.
    """
    if str(path) != LATEST or os.path.lexists(path):
        return path
    link = ROOT / LATEST
    if not link.is_dir():
        raise LatestRunError(f"There is no {link} here: give the folder of a run; of `run --resume` as --output.")
    return ROOT / link.readlink() if link.is_symlink() else link


def runs_in(folder: Path) -> list[Path]:
    """Return the runs of several sources in one folder; none if it is a run itself."""
    return [] if (folder / REPORT_FILE).is_file() else sorted(path.parent for path in folder.glob(f"*/{REPORT_FILE}"))


def _link(path: Path) -> None:
    """Replace the link atomically; where links are impossible there is none."""
    part = path.with_name(f".{LATEST}.{path.name}")
    try:
        part.symlink_to(path.name, target_is_directory=True)
        part.replace(path.with_name(LATEST))
    except (OSError, NotImplementedError):
        with suppress(OSError):
            part.unlink()
