"""Plots of trajectories."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from loftr_ros.errors import shortened
from loftr_ros.evaluation.ate import in_first_camera, transformed
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.output import writing

ESTIMATE = {"color": "#0072b2", "linewidth": 1.5, "zorder": 3}
# Wide and pale below the estimate, so that both are visible where they agree.
TRUTH = {"color": "#f2b25c", "linewidth": 5.0, "solid_capstyle": "round", "zorder": 2, "label": "ground truth"}

Points = NDArray[np.float64]


def plot_trajectory(path: Path, estimate: Trajectory, truth: Trajectory | None, title: str, metric: bool) -> None:
    """Plot a trajectory from above and from the side, in the frame of the first camera.

    Args:
        path: image file to write.
        estimate: T_odom_camera.
        truth: T_world_camera to align the estimate to, or None; must cover at least two stamps of the estimate.
        title: title of the figure.
        metric: whether the estimate is in meters; otherwise the alignment includes a scale.

    Raises:
        TrajectoryError: estimate and ground truth have no common stamps.
        OutputError: the file cannot be written.
    """
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    _set_title(figure, title)
    above, side = figure.subplots(1, 2)
    points, truth_points = in_first_camera(estimate, truth, metric)
    label = "estimate" if truth is None else "estimate, aligned" if metric else "estimate, aligned and scaled"
    # The axes of a camera are x right, y down, z forward.
    for axes, horizontal, vertical in ((above, points[:, 0], points[:, 2]), (side, points[:, 2], -points[:, 1])):
        axes.plot(horizontal, vertical, label=label, **ESTIMATE)
        axes.plot(horizontal[0], vertical[0], "o", color=ESTIMATE["color"], zorder=4, label="start")
        axes.plot(horizontal[-1], vertical[-1], "s", color=ESTIMATE["color"], zorder=4, label="end")
    if truth_points is not None:
        above.plot(truth_points[:, 0], truth_points[:, 2], **TRUTH)
        side.plot(truth_points[:, 2], -truth_points[:, 1], **TRUTH)
    unit = "m" if metric or truth is not None else "unknown scale"
    _format(above, "from above", f"right [{unit}]", f"forward [{unit}]")
    _format(side, "from the side", f"forward [{unit}]", f"up [{unit}]")
    above.legend(loc="best", fontsize="small")
    _save(figure, path)


def plot_axes(path: Path, estimate: Trajectory, truth: Trajectory, title: str) -> None:
    """Plot each axis over time: position, position error, and rotation drift.

    In the frame of the first ground truth camera. The rotation drift is relative to the first pose, because the
    alignment of positions on a straight path leaves the rotation about the path undetermined.

    Args:
        path: image file to write.
        estimate: N poses, aligned.
        truth: N ground truth poses.
        title: title of the figure.

    Raises:
        OutputError: the file cannot be written.
    """
    figure = Figure(figsize=(13, 7.5), layout="constrained")
    _set_title(figure, title)
    seconds = (truth.stamps_ns - truth.stamps_ns[0]) / 1e9
    T_camera_world = np.linalg.inv(truth.poses[0])
    points, truth_points = (transformed(T_camera_world, t.positions) for t in (estimate, truth))
    grid = figure.subplots(3, 3, sharex=True, squeeze=False)
    errors = points - truth_points, np.degrees(_rotation_drift(estimate, truth))
    for i, axis in enumerate(("x, right", "y, down", "z, forward")):
        grid[i, 0].plot(seconds, truth_points[:, i], **TRUTH)
        grid[i, 0].plot(seconds, points[:, i], label="estimate, aligned", **ESTIMATE)
        grid[i, 0].set_ylabel(axis)
        for axes, values in zip(grid[i, 1:], errors, strict=True):
            axes.plot(seconds, values[:, i], **ESTIMATE)
    for axes, heading in zip(grid[0], ("position [m]", "position error [m]", "rotation drift [°]"), strict=True):
        axes.set_title(heading)
    for axes in grid[2]:
        axes.set_xlabel("time [s]")
    for axes in grid.flat:
        axes.grid(color="#dddddd", linewidth=0.6)
    grid[0, 0].legend(loc="best", fontsize="small")
    _save(figure, path)


def _set_title(figure: Figure, title: str) -> None:
    """Set a title that may contain any folder name: escape dollar signs (math mode) and undecodable bytes."""
    figure.suptitle(shortened(title).replace("$", r"\$"), fontsize="medium")


def _save(figure: Figure, path: Path) -> None:
    with writing(path) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # names with characters that the font lacks
        figure.savefig(part, dpi=130)


def _rotation_drift(estimate: Trajectory, truth: Trajectory) -> Points:
    """(N, 3) rotation vectors, radians, from the ground truth to the estimated rotation since the first pose.

    Both are rotations T_first_camera in the frame of the first camera.
    """
    since_first, true_since_first = (t.poses[0, :3, :3].T @ t.poses[:, :3, :3] for t in (estimate, truth))
    drift: Points = Rotation.from_matrix(since_first @ np.swapaxes(true_since_first, 1, 2)).as_rotvec()
    return drift


def _format(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    axes.grid(color="#dddddd", linewidth=0.6)
