from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from loftr_ros.evaluation.plotting import plot_axes
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.geometry import se3


def test_axes_are_those_of_the_first_true_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Straight ahead in a turned world; the estimate sinks 0.1 m a frame and turns half a degree to the right."""
    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **options: drawn.append(figure) or save(figure, *args))
    count = 5
    ahead = np.tile(np.eye(4), (count, 1, 1))
    ahead[:, 2, 3] = np.arange(count)
    sinking = ahead.copy()
    sinking[:, 1, 3] = 0.1 * np.arange(count)
    roll = se3.exp_rotation([0, 0, 1.0])  # an alignment of positions leaves the turn about a straight path open
    for i in range(count):
        sinking[i, :3, :3] = roll @ se3.exp_rotation([0, np.radians(0.5 * i), 0])
    T_world_first = se3.exp(np.array([5.0, 6.0, 7.0, 1.0, -0.5, 0.3]))
    stamps = 10**18 + 10**8 * np.arange(count)
    estimate, truth = (Trajectory(stamps, T_world_first @ poses) for poses in (sinking, ahead))

    plot_axes(tmp_path / "axes.png", estimate, truth, "title")

    assert (tmp_path / "axes.png").stat().st_size > 0
    position, error, rotation = np.array(drawn[0].axes).reshape(3, 3).T
    for row, expected in enumerate((ahead, sinking)):
        found = [axes.lines[row].get_ydata() for axes in position]
        np.testing.assert_allclose(np.transpose(found), expected[:, :3, 3], atol=1e-9)
    steps = np.arange(count)
    found_errors, turns = ([axes.lines[0].get_ydata() for axes in column] for column in (error, rotation))
    np.testing.assert_allclose(found_errors, [0 * steps, 0.1 * steps, 0 * steps], atol=1e-9)
    np.testing.assert_allclose(turns, [0 * steps, 0.5 * steps, 0 * steps], atol=1e-9)
    np.testing.assert_allclose(position[0].lines[0].get_xdata(), 0.1 * steps)
