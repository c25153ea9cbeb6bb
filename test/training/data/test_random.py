"""One generator, whose state continues the sequence."""

import math

import pytest
import torch

from loftr_ros.training.data.random import Draw

CPU = torch.device("cpu")


def test_saved_state_continues_the_sequence() -> None:
    draw = Draw(1, CPU)
    draw.normal(10)
    state = draw.generator.get_state()
    expected = [draw.uniform(0, 1, 3), draw.integers(9, 3), draw.direction(2)]
    other = Draw(2, CPU)
    other.generator.set_state(state)
    actual = [other.uniform(0, 1, 3), other.integers(9, 3), other.direction(2)]
    assert all(torch.equal(a, b) for a, b in zip(expected, actual, strict=True))


def test_global_seed_has_no_part() -> None:
    torch.manual_seed(1)
    first = Draw(1, CPU).normal(5)
    torch.manual_seed(2)
    assert torch.equal(first, Draw(1, CPU).normal(5))


def test_ranges() -> None:
    draw = Draw(0, CPU)
    uniform, log = draw.uniform(2, 5, 20_000), draw.log_uniform(0.1, 10, 20_000)
    assert (uniform.min() >= 2, uniform.max() < 5) == (True, True)
    assert uniform.mean().item() == pytest.approx(3.5, abs=0.03)
    assert (log.min() >= 0.0999, log.max() <= 10.001) == (True, True)
    assert log.log().mean().item() == pytest.approx(math.log(1), abs=0.05)
    assert draw.chance(0.3, 20_000).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert set(draw.integers(3, 1000).tolist()) == {0, 1, 2}
    directions = draw.direction(20_000)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(20_000))
    assert directions.mean(0).abs().max() < 0.03
