"""Constants of the estimator: each says where its value is from, and there are not more of them over time."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import truncnorm

from loftr_ros.odometry.geometry.robust import MAD_TO_SIGMA, SIGNIFICANT_SIGMAS
from loftr_ros.odometry.pose import residuals

Bench = Callable[[str], ModuleType]

KINDS = "assumed", "measured", "derived", "numerical"
ROOT = Path(__file__).parents[2]
# Numbers that a newcomer has to trust, and those that follow from others or from a measurement. To add one, make it
# follow from what is there, or measure it; else say here why there is one more.
MAX_ASSUMED, MAX_ALL_BUT_NUMERICAL = 50, 84


@pytest.fixture
def constants(bench: Bench) -> list[Any]:
    """The constants of the estimator."""
    return list(bench("constants").estimator_constants())


def test_each_constant_has_an_origin(constants: list[Any]) -> None:
    assert not [constant.label for constant in constants if constant.origin is None]


def test_measurements_are_written_down(constants: list[Any]) -> None:
    measured = [constant for constant in constants if constant.origin and constant.origin.kind == "measured"]
    assert measured
    for constant in measured:
        places = re.findall(r'([\w/]+\.(?:md|py))(?:, "([^"]+)")?', constant.origin.text)
        assert places, f"{constant.label} names no page, script or test"
        for place, text in places:
            assert re.sub(r"\s+", " ", text) in re.sub(r"\s+", " ", (ROOT / place).read_text(encoding="utf-8")), (
                constant.label
            )


def test_there_are_no_more_constants(constants: list[Any]) -> None:
    count = Counter(constant.origin.kind for constant in constants)
    assert count["assumed"] <= MAX_ASSUMED
    assert count.total() - count["numerical"] <= MAX_ALL_BUT_NUMERICAL
    page = (ROOT / "docs" / "sensitivity.md").read_text(encoding="utf-8")
    assert f"There are {count.total()}: {', '.join(f'{count[kind]} {kind}' for kind in KINDS)}" in page


def test_rounded_constants_follow_from_their_equations() -> None:
    assert 1.0 / ndtri(0.75) == pytest.approx(MAD_TO_SIGMA, abs=5e-5)
    variance = truncnorm.var(-SIGNIFICANT_SIGMAS, SIGNIFICANT_SIGMAS)
    assert variance == pytest.approx(residuals._TRUNCATED_VARIANCE, abs=5e-4)


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("# Meaning.\n# assumed: a reason,\n# in two lines.\nX = 2.0\n", ("assumed", "a reason, in two lines.")),
        ("X = 2.0  # numerical: tolerance\n", ("numerical", "tolerance")),
        ("X: float = 2.0  # numerical: tolerance\n", ("numerical", "tolerance")),
        ("X = (  # derived: 1 + 1\n    2.0\n)\n", ("derived", "1 + 1")),
        ("# Meaning, assumed: by chance.\nX = 2.0\n", None),
        ("# assumed: the line above is empty.\n\nX = 2.0\n", None),
        ("Y = None  # assumed: of another constant\nX = 2.0\n", None),
        ("# assumed: one.\n# measured: two.\nX = 2.0\n", None),
        ("# assumed:\nX = 2.0\n", None),
    ],
)
def test_origin_by_comment(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, origin: tuple[str, str] | None
) -> None:
    name = f"package_{abs(hash(source))}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    (constant,) = bench("constants").constants_of(name)
    assert (constant.name, np.float64(constant.value)) == ("X", 2.0)
    assert (constant.origin and (constant.origin.kind, constant.origin.text)) == origin
