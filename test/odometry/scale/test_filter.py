"""The scale that many measurements agree on."""

from collections.abc import Iterable

import numpy as np
import pytest

from loftr_ros.odometry.scale.filter import Scale, ScaleFilter, ScaleSample

TRUE, SIGMA = np.log(1.7), 0.05


def fed(samples: Iterable[float], sigma: float = SIGMA, drift: float = 0.0, common: float = 0.0) -> ScaleFilter:
    """A filter that has seen these logarithms."""
    scales = ScaleFilter(common)
    for sample in samples:
        scales.drift(drift)
        scales.add(ScaleSample(float(sample), sigma))
    return scales


def test_without_samples_the_scale_is_a_guess() -> None:
    assert ScaleFilter(0.01).scale == Scale(1.0, 10.0, known=False)


def test_the_scale_is_known_by_several_samples_and_stays_known() -> None:
    one, three = fed([TRUE]), fed(3 * [TRUE])
    assert one.scale.value == pytest.approx(1.7)
    assert not one.scale.known
    assert three.scale.known
    three.drift(0.5)
    assert three.scale.known
    assert three.scale.sigma == pytest.approx(0.5, rel=0.01)


def test_samples_that_are_too_uncertain_do_not_make_it_known() -> None:
    assert not fed(3 * [TRUE], sigma=0.3).scale.known
    assert fed(12 * [TRUE], sigma=0.3).scale.known


def test_the_uncertainty_is_that_of_the_error() -> None:
    rng = np.random.default_rng(0)
    scales = [fed(TRUE + SIGMA * rng.standard_normal(20)).scale for _ in range(200)]
    errors = np.array([(np.log(scale.value) - TRUE) / scale.sigma for scale in scales])
    assert np.std(errors) == pytest.approx(1.0, abs=0.15)


def test_the_uncertainty_is_that_of_the_error_of_a_scale_that_drifts() -> None:
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(200):
        truth = np.cumsum(0.02 * rng.standard_normal(40))
        scale = fed(truth + SIGMA * rng.standard_normal(40), drift=0.02).scale
        errors.append((np.log(scale.value) - truth[-1]) / scale.sigma)
    assert np.std(errors) == pytest.approx(1.0, abs=0.15)


def test_what_samples_have_in_common_is_not_averaged_out() -> None:
    assert fed(30 * [TRUE], common=0.02).scale.sigma > 0.02
    assert fed(30 * [TRUE]).scale.sigma < 0.02


@pytest.mark.parametrize("bad", [[0, 1, 2], [7, 8, 9], [3, 9, 15]], ids=["first", "in a row", "scattered"])
def test_bad_samples_are_outvoted(bad: list[int]) -> None:
    samples = np.full(16, TRUE) + 0.02 * np.random.default_rng(1).standard_normal(16)
    samples[bad] += np.log(1.5)
    scale = fed(samples).scale
    assert abs(np.log(scale.value) - TRUE) < min(0.03, 3 * scale.sigma)


def test_without_new_samples_the_scale_is_kept_and_grows_uncertain_slowly() -> None:
    scales = fed(10 * [TRUE], drift=0.005)
    before = scales.scale
    for _ in range(100):
        scales.drift(0.005)
    assert scales.scale.value == pytest.approx(before.value)
    assert scales.scale.sigma == pytest.approx(np.hypot(before.sigma, 0.05), rel=1e-3)


@pytest.mark.parametrize("change", [0.0, 0.4, -1.4])
def test_in_a_new_unit_the_next_sample_wins(change: float) -> None:
    scales = fed(30 * [TRUE], drift=0.005)
    scales.restart(0.5)
    assert np.log(scales.scale.value) == pytest.approx(TRUE)
    assert scales.scale.sigma == pytest.approx(0.5)
    scales.add(ScaleSample(TRUE + change, SIGMA))
    assert np.log(scales.scale.value) == pytest.approx(TRUE + change, abs=0.05)
    assert scales.scale.known


def test_a_restart_makes_nothing_known() -> None:
    scales = ScaleFilter(0.0)
    scales.restart(0.5)
    assert scales.scale == Scale()


def test_a_scale_that_jumped_is_followed_in_the_end() -> None:
    scales = fed(20 * [TRUE] + 20 * [TRUE + 0.4], drift=0.005)
    assert np.log(scales.scale.value) == pytest.approx(TRUE + 0.4, abs=0.05)


def test_a_sample_that_is_not_finite_is_left_out() -> None:
    scales = ScaleFilter(0.0)
    for _ in range(5):
        scales.add(ScaleSample(np.log(2.0), 0.01))
    before = scales.scale
    for sample in (ScaleSample(np.nan, 0.01), ScaleSample(np.inf, 0.01), ScaleSample(0.0, np.nan)):
        scales.add(sample)
    assert scales.scale == before
