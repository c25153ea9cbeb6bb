"""Settings from files and the command line: they are valid, or a sentence names the one that is not."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import strategies as st

from loftr_ros.errors import LoftrRosError
from loftr_ros.ros.messages.stamp_order import Order, StampOrder
from loftr_ros.ros.parameters.launch_arguments import _in_file
from loftr_ros.ros.parameters.table import PARAMETERS, odometry_config, validated
from loftr_ros.training.config import read_config

ROOT = Path(__file__).resolve().parents[2]
SEEDS = st.integers(0, 2**48)


def assert_sentence(error: LoftrRosError) -> None:
    assert str(error)
    assert len(str(error)) < 5000


def test_parameters(fuzz: Callable[..., None]) -> None:
    names = [spec.name for spec in PARAMETERS]
    limits = [limit for spec in PARAMETERS for limit in (spec.low, spec.high) if limit is not None]
    texts = [choice for spec in PARAMETERS for choice in spec.choices]
    values = st.one_of(
        st.floats(), st.integers(), st.text(max_size=9), st.booleans(), st.none(), st.lists(st.integers(), max_size=2),
        st.sampled_from(limits), st.sampled_from(texts),
    )  # fmt: skip

    def check(case: dict[str, Any]) -> None:
        try:
            odometry_config(validated(case))
        except LoftrRosError as error:
            assert_sentence(error)

    fuzz(check, st.dictionaries(st.sampled_from(names) | st.text(max_size=5), values, max_size=4), quick=150)


def test_parameter_files(fuzz: Callable[..., None], damaged_files: ModuleType, tmp_path: Path) -> None:
    content = (ROOT / "config" / "vo.yaml").read_bytes()[:3000]
    path = tmp_path / "params.yaml"

    def check(seed: int) -> None:
        path.write_bytes(damaged_files.damaged(content, random.Random(seed)))
        try:
            validated(_in_file(path))
        except LoftrRosError as error:
            assert_sentence(error)

    fuzz(check, SEEDS, quick=40)


def test_training_files(fuzz: Callable[..., None], damaged_files: ModuleType, tmp_path: Path) -> None:
    text = (
        "preset: compact\nsizes: [[320, 240], [64, 64]]\nbatch: 2\nlearning_rate: 0.001\nsources: [{kind: rendered}]\n"
    )
    path = tmp_path / "train.yaml"

    def check(seed: int) -> None:
        path.write_bytes(damaged_files.damaged(text.encode(), random.Random(seed)))
        try:
            read_config(path)
        except LoftrRosError as error:
            assert_sentence(error)

    fuzz(check, SEEDS, quick=80)


def test_order_of_stamps(fuzz: Callable[..., None]) -> None:
    """What is delivered increases, unless time has jumped back by a second or more."""
    steps = st.sampled_from([0, 1, -1, 10**8, -(10**8), 10**11, -(10**11), 3 * 10**17]) | st.integers(-(2**63), 2**63)

    def check(case: list[int]) -> None:
        order, now, newest = StampOrder(), 10**9, None
        for step in case:
            now = max(min(now + step, 2**63), -(2**63))
            found = order.judge(now)
            if found is Order.NEXT:
                assert newest is None or now > newest
            if found is Order.JUMP:
                assert newest is not None
                assert newest - now >= 10**9
            if found in (Order.NEXT, Order.JUMP):
                newest = now
            assert order.newest_ns == newest

    fuzz(check, st.lists(steps, max_size=20), quick=100)
