"""The sine encoding against its formula (paper, supplementary)."""

import math

import pytest
import torch

from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.network.position_encoding import sine_position_encoding


@pytest.mark.parametrize("channels", [4, 16, 64])
def test_formula(channels: int) -> None:
    encoding = sine_position_encoding(channels, 3, 5)
    assert encoding.shape == (channels, 3, 5)
    for group in range(channels // 4):
        frequency = 10000 ** (-2 * group / (channels // 2))
        for row in range(3):
            for column in range(5):
                x, y = (column + 1) * frequency, (row + 1) * frequency  # positions count from one
                expected = [math.sin(x), math.cos(x), math.sin(y), math.cos(y)]
                assert encoding[4 * group : 4 * group + 4, row, column].tolist() == pytest.approx(expected, abs=1e-5)


def test_legacy_frequencies_fall_by_e_squared() -> None:
    """The first release's -log(10000) / dim // 2 is minus one, whatever the size."""
    encoding = sine_position_encoding(256, 2, 40, legacy=True)
    assert encoding[8, 0, 9].item() == pytest.approx(math.sin(10 * math.exp(-4)))
    assert not torch.allclose(encoding, sine_position_encoding(256, 2, 40))


def test_larger_map_continues_the_smaller() -> None:
    torch.testing.assert_close(sine_position_encoding(8, 9, 7)[:, :4, :5], sine_position_encoding(8, 4, 5))


@pytest.mark.parametrize(("name", "legacy"), [("outdoor", True), ("indoor", False), ("outdoor_ot", True)])
def test_same_as_kornia(name: str, legacy: bool) -> None:
    module = pytest.importorskip("kornia.feature.loftr.utils.position_encoding", reason="kornia is needed for parity")
    theirs = module.PositionEncodingSine(256, (30, 41), temp_bug_fix=not legacy).pe[0]
    assert preset(name).legacy_position_encoding == legacy
    torch.testing.assert_close(sine_position_encoding(256, 30, 41, legacy=legacy), theirs, rtol=0, atol=1e-5)
