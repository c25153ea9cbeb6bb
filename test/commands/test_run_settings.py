"""`loftr-ros run` takes every setting of the odometry as an option."""

import json
from pathlib import Path
from typing import Any

import pytest

from loftr_ros.cli import _parse, main
from loftr_ros.commands.arguments import SET_OTHERWISE, odometry_settings
from loftr_ros.odometry.config import SPECS, OdometryConfig
from loftr_ros.parameters import ParameterSpec

RUN = ("run", "SOURCE", "--mode", "mono", "--output", "OUT")
OPTIONS = [spec for spec in SPECS if spec.name not in SET_OTHERWISE]


def option(spec: ParameterSpec) -> tuple[list[str], Any]:
    """Another value than the default, as words of the command line and as it is."""
    name = spec.name.replace("_", "-")
    if isinstance(spec.default, bool):
        return ([f"--no-{name}"], False) if spec.default else ([f"--{name}"], True)
    if spec.choices:
        return [f"--{name}", spec.choices[1]], spec.choices[1]
    assert not isinstance(spec.default, str)
    assert spec.high is not None
    value = type(spec.default)((spec.default + spec.high) / 2)
    return [f"--{name}", str(value)], value


def test_what_another_option_sets_is_a_setting() -> None:
    assert set(SET_OTHERWISE) < {spec.name for spec in SPECS}
    for name, other in SET_OTHERWISE.items():
        assert hasattr(_parse(RUN), name), other


@pytest.mark.parametrize("spec", OPTIONS, ids=lambda spec: spec.name)
def test_an_option_is_the_setting_of_its_name(spec: ParameterSpec) -> None:
    words, value = option(spec)
    assert value != spec.default
    settings = odometry_settings(_parse([*RUN, *words]))
    assert OdometryConfig(**settings) == OdometryConfig(**{spec.name: value})


def test_settings_that_are_not_given_are_the_defaults() -> None:
    assert OdometryConfig(**odometry_settings(_parse(RUN))) == OdometryConfig()


@pytest.mark.usefixtures("matcher")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--max-speed", "0.1"), "motion impossible"),  # it moves with 0.8 m/s
        (("--min-inliers", "100000"), "too few matches"),
    ],
)
def test_a_setting_reaches_the_odometry(
    sideways_rgbd: Path, tmp_path: Path, words: tuple[str, str], reason: str
) -> None:
    output = tmp_path / "out"
    main(["run", str(sideways_rgbd), "--output", str(output), "--no-progress", "--mode", "rgbd", *words])
    assert reason in json.loads((output / "run.json").read_text())["summary"]["lost"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--max-speed", "5000"), "max_speed is 5000.0: it must be 0.01 to 1000 m/s"),
        (("--ransac-threshold-px", "nan"), "ransac_threshold_px is nan: it must be 0.01 to 100 px"),
        (("--min-inliers", "30.5"), "min_inliers is '30.5': it must be an int"),
        (("--min-inliers", "4"), "min_inliers is 4: it must be 8 to 100000 matches"),
        (("--max-gap", "long"), "max_gap is 'long': it must be a float"),
        (("--scale-source", "gps"), "invalid choice: 'gps'"),
    ],
)
def test_a_wrong_value_is_refused_with_name_and_range(
    words: tuple[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        _parse([*RUN, *words])
    assert raised.value.code == 2
    said = capsys.readouterr().err
    assert f"argument {words[0]}: {sentence}" in said
    assert len(said.splitlines()) == 2  # and a short usage
