"""The choice of the budget, with machines that take a given time for it."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.ros.budget.adaptive_resolution import AdaptiveResolution

VGA = 640 * 480
LIMIT = ComputeBudget(1_000_000, 2000)


def machine(seconds: float, power: float = 1.0, fixed: float = 0.0) -> Callable[[ComputeBudget], float]:
    """Make a machine that takes so long for all pixels of a VGA image, of which a share is the same for any budget."""
    return lambda budget: seconds * (fixed + (1 - fixed) * (min(budget.max_pixels, VGA) / VGA) ** power)


def simulated(
    control: AdaptiveResolution, takes: Callable[[ComputeBudget], float], frames: int, noise: float = 0.05
) -> list[ComputeBudget]:
    """Return the budgets of so many frames, whose times vary."""
    rng = np.random.default_rng(0)
    budgets = []
    for _ in range(frames):
        budgets.append(control.budget(VGA))
        control.frame_took(takes(budgets[-1]) * rng.uniform(1 - noise, 1 + noise))
    return budgets


def changes(budgets: list[ComputeBudget]) -> int:
    return sum(a != b for a, b in itertools.pairwise(budgets))


def test_without_a_target_all_that_is_allowed_is_used():
    assert set(simulated(AdaptiveResolution(LIMIT, 0.0), machine(9.9), 100)) == {LIMIT}


def test_a_machine_that_is_fast_enough_is_left_alone():
    control = AdaptiveResolution(LIMIT, 10.0)
    assert set(simulated(control, machine(0.09), 1000)) == {LIMIT}
    assert control.warning() is None


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("fixed", [0.0, 0.3])
@pytest.mark.parametrize("seconds", [0.13, 0.2])
def test_the_rate_is_reached_in_a_few_frames_and_kept(seconds: float, fixed: float, power: float):
    takes = machine(seconds, power, fixed)
    control = AdaptiveResolution(LIMIT, 10.0)
    simulated(control, takes, 20)
    assert takes(control.budget(VGA)) < 0.1
    budgets = simulated(control, takes, 2000)
    assert np.mean([takes(budget) for budget in budgets]) < 0.1
    assert changes(budgets) <= 16, "tries to go up become rare"
    assert control.warning() is None


def test_no_more_is_given_up_than_needed():
    control = AdaptiveResolution(LIMIT, 10.0)
    budget = simulated(control, machine(0.13, power=2.0), 500)[-1]
    assert budget == ComputeBudget(round(0.7 * VGA), 1400)


def test_a_target_that_cannot_be_reached_ends_at_the_lowest_budget_with_a_warning():
    control = AdaptiveResolution(LIMIT, 30.0)
    budgets = simulated(control, machine(0.5), 200)
    assert set(budgets[20:]) == {ComputeBudget(VGA // 4, 500)}
    warning = control.warning()
    assert warning is not None
    assert "target_rate is 30 Hz but a frame takes 12" in warning
    assert "lowest compute budget (76800 pixels, 500 matches)" in warning


def test_a_machine_that_gets_busy_and_free_again_is_followed():
    control = AdaptiveResolution(LIMIT, 10.0)
    assert simulated(control, machine(0.05), 100)[-1] == LIMIT
    assert simulated(control, machine(0.3), 100)[-1].max_pixels < VGA / 2
    assert control.warning() is None
    budgets = simulated(control, machine(0.05), 300)
    assert budgets[-1] == LIMIT
    pixels = [min(budget.max_pixels, VGA) for budget in budgets]
    assert pixels == sorted(pixels), "step by step"


def test_one_hiccup_changes_nothing():
    control = AdaptiveResolution(LIMIT, 10.0)
    times = iter([0.08] * 20 + [3.0] + [0.08] * 20)
    budgets = [control.budget(VGA)]
    for seconds in times:
        control.frame_took(seconds)
        budgets.append(control.budget(VGA))
    assert set(budgets) == {LIMIT}


def test_dear_keyframes_count():
    """Every third frame takes twice the time: on the whole the frames are late, though most are not."""
    control = AdaptiveResolution(LIMIT, 10.0)
    for index in range(30):
        control.frame_took(0.17 if index % 3 == 0 else 0.085)
    assert control.budget(VGA) != LIMIT


@pytest.mark.parametrize(
    "limit",
    [
        ComputeBudget(100_000, 0),
        ComputeBudget(100_000, 200),
        ComputeBudget(5_000_000, 0),
        ComputeBudget(5_000_000, 900),
    ],
)
def test_the_limit_is_never_exceeded_and_every_step_is_less(limit: ComputeBudget):
    control = AdaptiveResolution(limit, 1000.0)
    budgets = list(dict.fromkeys(simulated(control, machine(0.0011, fixed=1.0), 100, noise=0.0)))
    assert budgets[0] == limit
    assert len(budgets) == 5
    pixels = [min(budget.max_pixels, VGA) for budget in budgets]
    assert pixels == sorted(set(pixels), reverse=True)
    matches = [budget.max_matches or VGA for budget in budgets]
    assert matches == sorted(matches, reverse=True)
    assert min(matches) == min(limit.max_matches or 300, 300)


def test_the_steps_are_of_the_image_where_that_has_fewer_pixels():
    control = AdaptiveResolution(ComputeBudget(1_000_000), 10.0)
    for _ in range(10):
        control.frame_took(1.0)
    assert control.budget(VGA).max_pixels == VGA // 4
    assert control.budget(1280 * 720).max_pixels == 1280 * 720 // 4
    assert control.budget(4_000_000).max_pixels == 250_000
