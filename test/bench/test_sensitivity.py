"""bench/sensitivity.py on rendered frames: constants are found, varied where they are used, and restored."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from loftr_ros.odometry import motion_measurement
from loftr_ros.odometry.pose import hypotheses

Bench = Callable[[str], ModuleType]


def test_constants_of_a_package(bench: Bench) -> None:
    constants = bench("constants").constants_of("loftr_ros.odometry", ("loftr_ros.odometry.checks",))
    labels = {constant.label for constant in constants}
    assert {"odometry.pose.hypotheses.MAX_ERROR_PX", "odometry.tracking.motion_model._CHANGE_S"} <= labels
    assert not any(label.startswith("odometry.checks") for label in labels)
    assert len(labels) == len(constants) > 100, "one row each, although several modules import some of them"


def test_a_constant_is_varied_in_all_modules_that_use_it(bench: Bench) -> None:
    module = bench("constants")
    before = hypotheses.MAX_ERROR_PX
    (constant,) = [found for found in module.constants_of("loftr_ros.odometry.pose") if found.name == "MAX_ERROR_PX"]
    with module.varied(constant, 7.0):
        assert (hypotheses.MAX_ERROR_PX, motion_measurement.MAX_ERROR_PX) == (7.0, 7.0)
    assert hypotheses.MAX_ERROR_PX == motion_measurement.MAX_ERROR_PX == before


@pytest.mark.parametrize(
    ("value", "half", "double"), [(3.0, 1.5, 6.0), (8, 4, 16), (1, 1, 2), (0.9, 0.8, 0.95), (0.5, 0.25, 1.0)]
)
def test_values_of_a_variation(bench: Bench, value: float, half: float, double: float) -> None:
    constant = bench("constants").Constant("package.module", "_NAME", value)
    assert [constant.scaled(factor) for factor in (0.5, 2.0)] == pytest.approx([half, double])


def test_table(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sensitivity = bench("sensitivity")
    monkeypatch.setattr(sensitivity, "RECORDED", ())
    monkeypatch.setattr(sensitivity, "RENDERED_FRAMES", 8)
    monkeypatch.setattr(sensitivity, "RENDERED_MODES", ("rgbd",))
    output = tmp_path / "out.json"
    assert sensitivity.main(["--only", "parameter.keyframe_parallax_px", "--output", str(output)]) == 0

    (table,) = json.loads(output.read_text())["tables"]
    rows = table["rows"]
    assert [row["name"] for row in rows] == ["matches left out"] * 4 + ["parameter.keyframe_parallax_px"] * 2
    assert rows[-2]["value"] == "12 → 6"
    for row in rows:
        change = row["change"]
        assert change["before"] == rows[0]["change"]["before"]
        assert change["after"] != change["before"], "the change has no effect"
