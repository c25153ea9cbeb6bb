"""Draws the pictures of docs/concepts.md: python tools/draw_concepts.py

All of them show what the program computes on the rendered room of `loftr-ros demo`, but the one about scale.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from loftr_ros import (
    Camera,
    Frame,
    LoftrMatcher,
    OdometryConfig,
    OdometryEstimate,
    VisualOdometry,
    load_matcher,
    open_sequence,
)
from loftr_ros.demo.room import write_sequence
from loftr_ros.loftr.network.coarse_matching import CoarseMatches, similarity
from loftr_ros.loftr.network.model import COARSE_STRIDE, FINE_STRIDE

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
LOOP = 360  # frames of a full loop, three times as many as in the demo, so that keyframes last
FRAMES = 72
PAIR = (12, 24)  # frames whose matching is shown
SHOWN_AT = (350, 144)  # pixel of the first, on a wall of equal panels
TRACKED = 10  # points followed through the frames of a keyframe
BLUE, ORANGE, GRAY = "#0072b2", "#e69f00", "#999999"


def main() -> None:
    """Draw all pictures."""
    matcher = load_matcher(device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        sequence = open_sequence(write_sequence(Path(folder), FRAMES, lambda: None, LOOP), "stereo")
        frames = list(sequence)
        # The calibration of the room is exact.
        config = OdometryConfig(mode="stereo", calibration_sigma=0.0, disparity_bias_px=0.0)
        odometry = VisualOdometry(matcher, config)
        estimates = [odometry.process(frame) for frame in frames]
        assert sequence.ground_truth is not None  # written with the sequence
        truth = sequence.ground_truth.poses
    _save(_matching(matcher, *(frames[index].image for index in PAIR)), "concept_matching.png")
    _save(_keyframe(frames, estimates), "concept_keyframe.png")
    _save(_scale(), "concept_scale.png")
    _save(_covariance(estimates, truth), "concept_covariance.png")
    _save(_degeneracies(frames[0].camera), "concept_degeneracies.png")


def _save(figure: Figure, name: str) -> None:
    """Write a PNG with a palette, which takes a third of the bytes."""
    figure.canvas.draw_idle()
    figure.savefig(IMAGES / name, dpi=110, pil_kwargs={"optimize": True})


def _matching(matcher: LoftrMatcher, image_a: NDArray[np.uint8], image_b: NDArray[np.uint8]) -> Figure:
    """Draw one cell of image a, its matching probability over the cells of image b, and the heat map of its window."""
    model = matcher.model
    with torch.inference_mode():
        a, b = (model.extract(_image(image)) for image in (image_a, image_b))
        tokens = model.transform(a, b)
        scores = similarity(*tokens, model.coarse_matching.config.temperature)
        confidence = model.coarse_matching.confidence(scores)[0]
        cell_a = SHOWN_AT[1] // COARSE_STRIDE * a.grid[1] + SHOWN_AT[0] // COARSE_STRIDE
        cell_b = int(confidence[cell_a].argmax())
        heat = scores[0, cell_a].softmax(0).view(b.grid)
        index = torch.tensor([0]), torch.tensor([cell_a]), torch.tensor([cell_b])
        matched = CoarseMatches(*index, confidence[cell_a, cell_b][None])
        offset = model.refine(a, b, tokens, matched).mean[0] * model.window_radius
    at_a, at_b = (_pixel(cell, a.grid[1]) for cell in (cell_a, cell_b))

    figure = Figure(figsize=(11, 3.3), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(4, 4, 3))
    _show(left, image_a, f"image a: a cell of {COARSE_STRIDE} x {COARSE_STRIDE} pixels")
    _mark(left, at_a, COARSE_STRIDE)
    _show(middle, image_b, "image b: probability of each of its cells")
    extent = (-0.5, image_b.shape[1] - 0.5, image_b.shape[0] - 0.5, -0.5)
    level = heat.clamp(min=1e-6).log10().numpy()
    middle.imshow(level, extent=extent, cmap="inferno", alpha=0.6, vmin=-6, vmax=0)
    _mark(middle, at_b, 2 * model.window_radius)
    margin = model.window_radius + FINE_STRIDE
    _show(right, image_b, f"fine level: {offset[0]:+.2f}, {offset[1]:+.2f} pixels")
    right.set(xlim=(at_b[0] - margin, at_b[0] + margin), ylim=(at_b[1] + margin, at_b[1] - margin))
    _mark(right, at_b, 2 * model.window_radius)
    right.plot(*at_b, "+", color=GRAY, markersize=14, markeredgewidth=2)
    right.plot(at_b[0] + offset[0], at_b[1] + offset[1], "x", color=ORANGE, markersize=14, markeredgewidth=3)
    return figure


def _image(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image)[None, None].float() / 255


def _pixel(cell: int, columns: int) -> NDArray[np.float64]:
    return np.array([cell % columns, cell // columns], dtype=np.float64) * COARSE_STRIDE


def _show(axes: Axes, image: NDArray[np.uint8], title: str) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    axes.set_title(title, fontsize="small")
    axes.set_axis_off()


def _mark(axes: Axes, at: NDArray[np.float64], side: float) -> None:
    axes.add_patch(Rectangle((at[0] - side / 2, at[1] - side / 2), side, side, fill=False, color=ORANGE, linewidth=2))


def _keyframe(frames: list[Frame], estimates: list[OdometryEstimate]) -> Figure:
    """Draw a keyframe and later frames, with points that were matched in all of them."""
    keyframes = [index for index, estimate in enumerate(estimates) if estimate.is_keyframe]
    start, end = max(pairwise(keyframes), key=lambda pair: pair[1] - pair[0])
    later = range(start + 1, end + 1)
    matches = [estimates[index].matches for index in later]
    cells = [set(np.asarray(found.cell_a)[estimates[i].inliers]) for i, found in zip(later, matches, strict=True)]
    common = np.array(sorted(set.intersection(*cells)))
    chosen = common[np.linspace(0.1 * len(common), 0.9 * len(common), TRACKED).astype(int)]
    shown = [later[0], later[-1]] if len(later) > 1 else [later[0]]

    figure = Figure(figsize=(11, 3.1), layout="constrained")
    panels = figure.subplots(1, 1 + len(shown), squeeze=False)[0]
    _show(panels[0], frames[start].image, "keyframe: image a")
    for axes, index in zip(panels[1:], shown, strict=True):
        found = estimates[index].matches
        _show(axes, frames[index].image, f"image b, {index - start} later")
        for number, cell in enumerate(chosen):
            (row,) = np.flatnonzero(np.asarray(found.cell_a) == cell)
            color = f"C{number}"
            panels[0].plot(*found.points_a[row], "o", color=color, markersize=5)
            axes.plot(*found.points_b[row], "o", color=color, markersize=5)
            axes.plot(*np.stack([found.points_a[row], found.points_b[row]]).T, "-", color=color, linewidth=1.5)
    return figure


def _scale() -> Figure:
    """Draw two scenes with the same two images, from above."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    for axes, scale, title in zip(
        figure.subplots(1, 2), (1.0, 2.0), ("small and near", "twice as large, as far, and as fast"), strict=True
    ):
        points = scale * np.array([[-0.6, 2.2], [0.1, 1.6], [0.7, 2.0]])
        cameras = scale * np.array([[-0.4, 0.0], [0.4, 0.0]])
        for camera, color in zip(cameras, (BLUE, ORANGE), strict=True):
            for point in points:
                axes.plot(*np.stack([camera, point]).T, color=color, linewidth=1, zorder=1)
            axes.plot(*camera, "s", color=color, markersize=9)
        axes.plot(*points.T, "o", color="black", markersize=5)
        axes.annotate("", cameras[1], cameras[0], arrowprops={"arrowstyle": "->", "linewidth": 1.5})
        axes.set(title=title, xlim=(-2.2, 2.2), ylim=(-0.4, 4.8))
        axes.set_aspect("equal")
        axes.set_axis_off()
    return figure


def _covariance(estimates: list[OdometryEstimate], truth: NDArray[np.float64]) -> Figure:
    """Draw the position error of each axis and three standard deviations, over the path."""
    positions, true_positions = np.stack([e.T_odom_camera[:3, 3] for e in estimates]), truth[:, :3, 3]
    path = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(true_positions, axis=0), axis=1))])
    sigma = np.sqrt([np.diag(e.pose_covariance)[:3] for e in estimates])
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    for axis, axes in enumerate(figure.subplots(1, 3, sharey=True)):
        axes.fill_between(path, *(sign * 3e3 * sigma[:, axis] for sign in (-1, 1)), color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(path, 1e3 * (positions - true_positions)[:, axis], color=BLUE)
        axes.set(title=("x, right", "y, down", "z, forward")[axis], xlabel="path [m]")
        axes.grid(color="#dddddd", linewidth=0.6)
        if axis == 0:
            axes.set_ylabel("position error,\n3 standard deviations [mm]")
    return figure


def _degeneracies(camera: Camera) -> Figure:
    """Draw the image motion of near and far points by a translation, a rotation, and both with a single plane."""
    columns, rows = np.meshgrid(np.linspace(40, camera.width - 40, 9), np.linspace(40, camera.height - 40, 7))
    rays = np.stack([columns.ravel(), rows.ravel(), np.ones(columns.size)])
    rays = np.linalg.inv(camera.K) @ rays
    near = np.arange(rays.shape[1]) % 2 == 0
    depth = np.where(near, 2.0, 6.0)
    sideways = np.array([[0.25], [0.0], [0.0]])
    turned = cv2.Rodrigues(np.array([0.0, 0.04, 0.0]))[0]
    views = (
        ("translation: near points move more", np.eye(3), sideways, depth),
        ("rotation only: no parallax, no depth", turned, np.zeros((3, 1)), depth),
        ("one plane: two motions fit", turned, sideways, np.full_like(depth, 4.0)),
    )
    figure = Figure(figsize=(11, 2.7), layout="constrained")
    for axes, (title, R, t, z) in zip(figure.subplots(1, 3), views, strict=True):
        moved = camera.K @ (R.T @ (rays * z - t))
        flow = moved[:2] / moved[2] - np.stack([columns.ravel(), rows.ravel()])
        for mask, color, label in ((near, ORANGE, "2 m"), (~near, BLUE, "6 m")):
            at = columns.ravel()[mask], rows.ravel()[mask]
            same = z[0] == z[1]
            axes.quiver(
                *at, *flow[:, mask], color="black" if same else color, label=None if same else label,
                angles="xy", scale_units="xy", scale=1, width=0.006,
            )  # fmt: skip
        axes.set(title=title, xlim=(0, camera.width), ylim=(camera.height, 0), xticks=[], yticks=[])
        axes.set_aspect("equal")
        if z[0] != z[1]:
            axes.legend(loc="lower right", fontsize="x-small")
    return figure


if __name__ == "__main__":
    main()
