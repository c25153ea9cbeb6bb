import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, homogeneous
from loftr_ros.odometry.pose.gauss_newton import ObservableDof, RefinedPose, _basis, refine_pose
from loftr_ros.odometry.pose.residuals import LinearizedResiduals, NoiseScales

T_A_B = se3.transform(se3.exp_rotation([0.02, 0.1, -0.03]), [0.3, -0.1, 0.6])
NOISE = 1e-3
SLIDE = 6.0  # of a point along an edge, as a multiple of NOISE
OBSERVABLE = [ObservableDof.FULL, ObservableDof.UP_TO_SCALE, ObservableDof.ROTATION_ONLY]


def make_matches(
    T: NDArray[np.float64], seed: int, depth_sigma: float = 0.003, outliers: float = 0.0, retake: int = 0
) -> NormalizedMatches:
    """300 matches, the first 200 with depth; only the noise of the matches differs between retakes."""
    rng = np.random.default_rng(seed)
    a = rng.uniform((-0.8, -0.6), (0.8, 0.6), (300, 2))
    rho = 1.0 / rng.uniform(3, 15, 300)
    in_b = (homogeneous(a) - rho[:, None] * T[:3, 3]) @ T[:3, :3]
    b = in_b[:, :2] / in_b[:, 2:] + NOISE * np.random.default_rng([seed, retake]).normal(size=(300, 2))
    b[rng.random(300) < outliers] += 0.05
    has_depth = np.arange(300) < 200
    measured = rho + depth_sigma * rng.normal(size=300)
    return NormalizedMatches(a, b, np.where(has_depth, measured, np.nan), np.where(has_depth, depth_sigma, np.nan))


def solve(matches: NormalizedMatches, observable: ObservableDof, truth: NDArray[np.float64] = T_A_B) -> RefinedPose:
    start = se3.transform(se3.exp_rotation([0.01, -0.01, 0.01]) @ truth[:3, :3], truth[:3, 3])
    if observable is not ObservableDof.ROTATION_ONLY:
        start[:3, 3] += [0.02, 0.02, -0.01]
    if observable is ObservableDof.UP_TO_SCALE:
        start[:3, 3] *= np.linalg.norm(truth[:3, 3]) / np.linalg.norm(start[:3, 3])
    return refine_pose(
        start, matches if observable is ObservableDof.FULL else matches.without_depth(), NOISE, 1e-5, observable
    )


def error_of(T: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([T[:3, 3] - truth[:3, 3], se3.log_rotation(T[:3, :3] @ truth[:3, :3].T)])


@pytest.mark.parametrize("observable", OBSERVABLE)
def test_the_jacobian_is_the_derivative(observable: ObservableDof) -> None:
    matches = make_matches(T_A_B, 0)
    problem = LinearizedResiduals.at(
        T_A_B, matches, matches.sigma, NoiseScales(NOISE), observable is ObservableDof.ROTATION_ONLY
    )
    basis = _basis(observable, T_A_B[:3, 3], 0.0)[:6, :-1]
    numeric = approx_fprime(
        np.zeros(basis.shape[1]),
        lambda change: problem.residuals_at(se3.retract(problem.T, (basis @ change)[:6])).ravel(),
        1e-8,
    )
    J = problem.jacobian()[:6].reshape(6, -1)
    np.testing.assert_allclose(J.T @ basis, numeric, atol=1e-5 * np.abs(numeric).max())


@pytest.mark.parametrize("observable", OBSERVABLE)
def test_the_pose_is_found_among_outliers(observable: ObservableDof) -> None:
    truth = se3.transform(T_A_B[:3, :3], np.zeros(3)) if observable is ObservableDof.ROTATION_ONLY else T_A_B
    refined = solve(make_matches(truth, 1, outliers=0.1), observable, truth)
    error = error_of(refined.T_a_b, truth)
    assert np.linalg.norm(error[:3]) < 0.02
    assert np.linalg.norm(error[3:]) < 0.002
    assert refined.noise == pytest.approx(NOISE, rel=0.3)
    assert (refined.errors > 5 * NOISE).mean() == pytest.approx(0.1, abs=0.06)


def test_the_length_is_kept_where_only_the_direction_is_free() -> None:
    refined = solve(make_matches(T_A_B, 2), ObservableDof.UP_TO_SCALE)
    assert np.linalg.norm(refined.T_a_b[:3, 3]) == pytest.approx(np.linalg.norm(T_A_B[:3, 3]))


@pytest.mark.parametrize("observable", OBSERVABLE)
def test_the_covariance_is_that_of_the_errors(observable: ObservableDof) -> None:
    """The mean of e' C^-1 e over many draws is the number of free parameters, if C is the covariance of e."""
    truth = se3.transform(T_A_B[:3, :3], np.zeros(3)) if observable is ObservableDof.ROTATION_ONLY else T_A_B
    free = {ObservableDof.FULL: 6, ObservableDof.UP_TO_SCALE: 5, ObservableDof.ROTATION_ONLY: 3}[observable]
    scores = []
    for seed in range(60):
        refined = solve(make_matches(truth, seed), observable, truth)
        error = error_of(refined.T_a_b, truth)
        np.testing.assert_allclose(refined.covariance, refined.covariance.T, atol=1e-12)
        scores.append(error @ np.linalg.pinv(refined.covariance, rcond=1e-9, hermitian=True) @ error)
    assert np.mean(scores) == pytest.approx(free, rel=0.35)


def test_uncertain_depth_still_gives_the_direction() -> None:
    """Depths wrong by half have no effect if their covariance accounts for it."""
    matches = make_matches(T_A_B, 3)
    matches = NormalizedMatches(matches.a, matches.b, 1.5 * matches.inverse_depth, matches.inverse_depth)
    p = solve(matches, ObservableDof.FULL).T_a_b[:3, 3]
    cosine = p @ T_A_B[:3, 3] / np.linalg.norm(p) / np.linalg.norm(T_A_B[:3, 3])
    assert np.degrees(np.arccos(cosine)) < 1.0


def test_noisy_depth_does_not_make_the_translation_short() -> None:
    """Errors in variables: depths err by a third of the typical one, and many draws show the mean."""
    positions = [
        solve(make_matches(T_A_B, seed, depth_sigma=0.03), ObservableDof.FULL).T_a_b[:3, 3] for seed in range(20)
    ]
    lengths = np.linalg.norm(positions, axis=1)
    assert abs(lengths.mean() - np.linalg.norm(T_A_B[:3, 3])) < 3 * lengths.std() / np.sqrt(20)


@pytest.mark.parametrize("nominal", [0.5, 2.0])
def test_the_noise_of_depths_is_estimated(nominal: float) -> None:
    matches = make_matches(T_A_B, 4, depth_sigma=0.01)
    problem = LinearizedResiduals.at(T_A_B, matches, nominal * matches.sigma, NoiseScales(2 * NOISE))
    for _ in range(10):
        scales = problem.rescaled(least_noise=0.0)
        problem = LinearizedResiduals.at(T_A_B, matches, nominal * matches.sigma, scales)
    assert scales.noise == pytest.approx(NOISE, rel=0.15)
    assert nominal * scales.depth == pytest.approx(1.0, rel=0.35)  # the prior pulls it towards the nominal one


def test_one_depth_that_is_much_too_near_changes_little() -> None:
    """It lies behind the camera of image b, where the projection has no bounds."""
    matches = make_matches(T_A_B, 5)
    sound = solve(matches, ObservableDof.FULL)
    matches.inverse_depth[7] = 1.02 / T_A_B[2, 3]
    bent = solve(matches, ObservableDof.FULL)
    np.testing.assert_allclose(bent.T_a_b, sound.T_a_b, atol=2e-3)
    np.testing.assert_allclose(np.diag(bent.covariance), np.diag(sound.covariance), rtol=0.1)


def test_poses_that_share_their_depths_err_together_as_the_gains_say() -> None:
    """The mean of e' C^-1 f, of errors of two such poses, is the trace of C^-1 times their covariance."""
    together, said = [], []
    for seed in range(80):
        first, second = (
            solve(make_matches(T_A_B, seed, depth_sigma=0.02, retake=retake), ObservableDof.FULL) for retake in range(2)
        )
        inverse = np.linalg.inv(first.covariance)
        together.append(error_of(first.T_a_b, T_A_B) @ inverse @ error_of(second.T_a_b, T_A_B))
        said.append(np.trace(inverse @ first.depth_sensitivity.T @ second.depth_sensitivity))
        assert not first.depth_sensitivity[200:].any()
        assert np.linalg.eigvalsh(first.covariance - first.depth_sensitivity.T @ first.depth_sensitivity)[0] > -1e-12
    assert np.mean(together) == pytest.approx(np.mean(said), abs=3 * np.std(together) / np.sqrt(80))
    assert np.mean(said) > 0.5


def test_points_that_are_uncertain_along_a_line_weigh_less_along_it() -> None:
    """All points slide along edges of all directions; who knows along which finds a better pose."""
    with_covariance, without = [], []
    for seed in range(20):
        matches = make_matches(T_A_B, seed)
        rng = np.random.default_rng(100 + seed)
        angle = rng.uniform(0, np.pi, len(matches.a))
        edge = np.column_stack([np.cos(angle), np.sin(angle)])
        b = matches.b + SLIDE * NOISE * rng.normal(size=(len(edge), 1)) * edge
        covariance_b = np.eye(2) + SLIDE**2 * edge[:, :, None] * edge[:, None]
        for errors, covariance in ((with_covariance, covariance_b), (without, None)):
            refined = solve(
                NormalizedMatches(matches.a, b, matches.inverse_depth, matches.sigma, covariance),
                ObservableDof.UP_TO_SCALE,
            )
            errors.append(np.linalg.norm(error_of(refined.T_a_b, T_A_B)))
    assert np.mean(with_covariance) < 0.9 * np.mean(without)
