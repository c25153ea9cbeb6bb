"""A fast path that fails, or finds something else than the plain one, is not used."""

import logging
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.device import MatcherError, OutOfMemory
from loftr_ros.loftr.runtime.inference import FastNetwork, Network, Table
from loftr_ros.loftr.runtime.matcher import LoftrMatcher
from loftr_ros.loftr.runtime.self_check import SHIFT, textured_pair
from loftr_ros.loftr.weights.checkpoints import load_model

CPU = torch.device("cpu")
SIZE = (120, 160)


@pytest.fixture
def fast() -> LoftrMatcher:
    """With the fast network, as on a GPU, that has not been checked yet."""
    matcher = LoftrMatcher(load_model("compact"), CPU, "compact", precision="float16")
    matcher._is_checked = False
    return matcher


def shifted(table: Table) -> Table:
    table[:, 1] += 1.0
    return table


def few(table: Table) -> Table:
    table[::5, 3] = 0
    return table


def not_finite(table: Table) -> Table:
    table[7, 2] = np.nan
    return table


def mixed_up(table: Table) -> Table:
    table[:, 1:3] = table[::-1, 1:3].copy()
    return table


def failing(table: Table) -> Table:
    raise RuntimeError("CUDA error: an illegal instruction\nCompile with TORCH_USE_CUDA_DSA")


def without_a_word(table: Table) -> Table:
    raise NotImplementedError


def full(*_: object) -> Any:
    raise torch.cuda.OutOfMemoryError("CUDA out of memory")


def inject(monkeypatch: pytest.MonkeyPatch, method: str, fault: Callable[..., Any]) -> None:
    """Let what a method of the fast network returns pass through a fault."""
    original = getattr(FastNetwork, method)
    monkeypatch.setattr(FastNetwork, method, lambda *arguments: fault(original(*arguments)))


def assert_as_in_float32(matcher: LoftrMatcher) -> None:
    plain = LoftrMatcher(load_model("compact"), CPU, "compact", precision="float32")
    pair = textured_pair(*SIZE)
    expected, found = (one.match(*map(one.extract, pair)) for one in (plain, matcher))
    assert len(expected) > 150
    np.testing.assert_array_equal(found.cell_a, expected.cell_a)
    np.testing.assert_allclose(found.points_b, expected.points_b, atol=1e-3)


FAULTS = {
    shifted: r"1\.00 pixels off",
    few: r"of its \d+ matches \d+ are among the \d+ of float32",
    not_finite: "not finite",
    mixed_up: r"of its \d+ matches \d+ are among",
    failing: r"it failed \(CUDA error: an illegal instruction\)$",
    without_a_word: r"it failed \(NotImplementedError\)$",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("warm", [True, False])
def test_a_faulty_fast_path_is_not_used(
    fast: LoftrMatcher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[[Table], Table],
    warm: bool,
) -> None:
    """After the warm-up, and without one from the first image on."""
    inject(monkeypatch, "match", fault)
    with caplog.at_level(logging.WARNING):
        if warm:
            fast.warm_up(*SIZE)
        assert_as_in_float32(fast)
    assert type(fast.network) is Network
    assert fast.precision == "float32"
    (record,) = caplog.records
    assert fast.fallback == record.getMessage()
    assert "GPU path is switched off" in fast.fallback
    assert re.search(FAULTS[fault], fast.fallback)


def test_a_backbone_that_fails_is_not_used(fast: LoftrMatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    inject(monkeypatch, "extract", failing)
    assert_as_in_float32(fast)
    assert fast.fallback
    assert type(fast.network) is Network


@pytest.mark.parametrize("max_matches", [0, 60])
@pytest.mark.parametrize("masked", [False, True])
def test_a_sound_fast_path_stays(
    fast: LoftrMatcher, monkeypatch: pytest.MonkeyPatch, max_matches: int, masked: bool
) -> None:
    plain_runs = []
    match = Network.match
    monkeypatch.setattr(Network, "match", lambda *arguments: plain_runs.append(1) or match(*arguments))
    mask = np.ones(SIZE, np.uint8)
    mask[:, 120:] = 0
    fast.budget = ComputeBudget(max_matches=max_matches)
    assert fast.warm_up(*SIZE, mask if masked else None) > 0
    a, b = textured_pair(*SIZE)
    found = fast.match(fast.extract(a), fast.extract(b))
    assert isinstance(fast.network, FastNetwork)
    assert (fast.fallback, fast.precision) == (None, "float16")
    assert len(plain_runs) == 1, "it is checked once"
    assert len(found) >= 60
    assert np.median(found.points_a - found.points_b, axis=0) == pytest.approx(SHIFT, abs=0.3)


def test_lack_of_memory_is_no_fault(fast: LoftrMatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the fast path it makes images smaller, which are checked then; in the plain one nothing can be compared."""
    with monkeypatch.context() as patch:
        inject(patch, "match", full)
        with pytest.raises(OutOfMemory, match="max_pixels 9600"):
            fast.warm_up(*SIZE)
    with monkeypatch.context() as patch:
        patch.setattr(Network, "extract", full)
        inject(patch, "match", shifted)
        fast.extract(textured_pair(*SIZE)[0])
    assert isinstance(fast.network, FastNetwork)
    inject(monkeypatch, "match", shifted)
    fast.warm_up(*SIZE)
    assert fast.fallback


def test_an_image_that_cannot_be_is_no_fault(fast: LoftrMatcher) -> None:
    with pytest.raises(MatcherError, match="at least 64 x 64"):
        fast.warm_up(48, 64)
    assert fast.fallback is None
    assert not fast._is_checked
