"""Settings that describe themselves: what their ranges refuse, and how."""

from dataclasses import dataclass
from typing import Any

import pytest

from loftr_ros.errors import LoftrRosError
from loftr_ros.parameters import ParameterError, ParameterSpec, parameter, same_as, specs
from loftr_ros.validation import require_known, require_type


@dataclass(frozen=True)
class Table:
    length: float = parameter(1.0, "A length", unit="m", low=0.5, high=2.0, audience="expert")
    count: int = parameter(3, "A count", low=0, high=10)
    kind: str = parameter("a", "A kind", choices=("a", "b"), section="Kinds")
    on: bool = parameter(True, "A switch")


@dataclass(frozen=True)
class Other:
    length: float = same_as(Table, "length", section="Lengths")


LENGTH, COUNT, KIND, ON = specs(Table)


def test_a_field_is_a_value_and_its_description() -> None:
    assert Table().length == 1.0
    assert ParameterSpec("length", 1.0, "A length", "expert", "m", 0.5, 2.0) == LENGTH
    assert LENGTH.help == "[expert] A length (0.5 to 2 m)"
    assert KIND.help == "A kind (one of a, b)"
    assert ON.help == "A switch"


def test_a_parameter_of_another_table_is_the_same_but_for_its_place() -> None:
    assert specs(Other) == (ParameterSpec("length", 1.0, "A length", "expert", "m", 0.5, 2.0, section="Lengths"),)


@pytest.mark.parametrize(
    ("spec", "value", "wanted"),
    [
        (LENGTH, 0.4, "0.5 to 2 m"),
        (LENGTH, float("nan"), "0.5 to 2 m"),
        (LENGTH, "1", "a float"),
        (LENGTH, True, "a float"),
        (COUNT, 11, "0 to 10"),
        (COUNT, 1.0, "an int"),
        (COUNT, False, "an int"),
        (KIND, "c", "one of a, b"),
        (ON, 1, "a bool"),
    ],
)
def test_a_wrong_value_is_refused_with_name_and_range(spec: ParameterSpec, value: Any, wanted: str) -> None:
    with pytest.raises(ParameterError, match=f"^{spec.name} is {value!r}: it must be {wanted}$"):
        spec.check(value)


@pytest.mark.parametrize(("spec", "value"), [(LENGTH, 2), (LENGTH, 0.5), (COUNT, 10), (KIND, "b"), (ON, False)])
def test_the_ends_of_a_range_belong_to_it_and_a_whole_number_is_a_float(spec: ParameterSpec, value: Any) -> None:
    spec.check(value)


def test_a_hint_and_a_place_end_the_sentence() -> None:
    with pytest.raises(LoftrRosError, match=r"^rate is '2e-3': it must be a float, not text$"):
        require_type(LoftrRosError, "rate", "2e-3", float, ", not text")
    require_known(LoftrRosError, ["a"], ["a", "b"])
    with pytest.raises(LoftrRosError, match=r"^unknown key 'c' in model; known: a, b$"):
        require_known(LoftrRosError, ["a", "c"], ["b", "a"], " in model")
