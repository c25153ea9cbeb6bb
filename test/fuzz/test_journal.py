"""The journal of an unfinished run, damaged by what ended it: it is read up to the damage."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import strategies as st

from loftr_ros.evaluation.trajectory import tum_rows
from loftr_ros.reports.run_log import FrameRecord
from loftr_ros.runs.journal import JOURNAL_FILE, Journal

SEEDS = st.integers(0, 2**48)


def record(index: int) -> FrameRecord:
    return FrameRecord(
        stamp_ns=10**9 + index * 10**8, T_odom_camera=np.eye(4), state="tracking", lost_reason=None, remarks=(),
        input_warnings=(), matches=100, inliers=90, keyframe=False, revisit=False, scale_known=True, speed=1.0,
        position_sigma=0.01, rotation_sigma_deg=0.1, focal_sigma=0.01, milliseconds={"match": 1.0},
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_journals(fuzz: Callable[..., None], damaged_files: ModuleType, tmp_path: Path) -> None:
    whole = Journal({"mode": "mono"}, [record(i) for i in range(4)], [np.eye(6)] * 4, [(2, "damaged")], [1])
    content = "".join(whole.lines()).encode()
    path = tmp_path / JOURNAL_FILE

    def check(seed: int) -> None:
        path.write_bytes(damaged_files.damaged(content, random.Random(seed)))
        journal = Journal.read(tmp_path)
        if journal is None or journal.trajectory is None:
            return
        assert len(journal.records) == len(journal.covariances)
        assert np.isfinite(journal.trajectory.poses).all()
        assert (np.diff(journal.trajectory.stamps_ns) > 0).all()
        assert np.isfinite(journal.covariances).all()
        assert journal.kept(1).lines()
        assert list(tum_rows(journal.trajectory))

    path.write_bytes(content)
    assert Journal.read(tmp_path) is not None
    fuzz(check, SEEDS, quick=150)
