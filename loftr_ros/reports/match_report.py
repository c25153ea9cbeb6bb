"""Results of `loftr-ros match`: match image, file of matches, and figures on the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.pose.relative_pose import RelativePose
from loftr_ros.output import writing
from loftr_ros.reports.drawing import draw_matches


def figures_of(matches: Matches, milliseconds: dict[str, float], pose: RelativePose | None) -> dict[str, Any]:
    """Collect the figures to print, as JSON values."""
    figures: dict[str, Any] = {
        "matches": len(matches),
        "median_confidence": round(float(np.median(matches.confidence)), 3) if len(matches) else None,
        "milliseconds": milliseconds,
    }
    if pose is None:
        return figures
    rotation_vector, position = se3.log_rotation(pose.T_a_b[:3, :3]), pose.T_a_b[:3, 3]
    angle = float(np.linalg.norm(rotation_vector))
    figures["pose"] = {
        "geometry": pose.geometry.value,
        "inliers": int(pose.inliers.sum()),
        "rotation_deg": float(np.degrees(angle)),
        "axis": (rotation_vector / angle).tolist() if angle > 0 else None,
        "direction": position.tolist() if position.any() else None,
        "T_a_b": pose.T_a_b.tolist(),
        "parallax_px": pose.parallax_px,
        "noise_px": pose.noise_px,
    }
    return figures


def write_picture(
    path: Path,
    image_a: NDArray[np.uint8],
    image_b: NDArray[np.uint8],
    matches: Matches,
    inliers: NDArray[np.bool_],
    figures: dict[str, Any],
) -> None:
    """Write the match image with a caption. Raises OutputError."""
    prefix = f"{figures['pose']['inliers']} inliers of " if "pose" in figures else ""
    caption = f"{prefix}{_summary(figures)}"
    _, data = cv2.imencode(path.suffix, draw_matches(image_a, image_b, matches, inliers, caption))
    with writing(path) as part:
        part.write_bytes(data.tobytes())


def write_matches(path: Path, matches: Matches, inliers: NDArray[np.bool_]) -> None:
    """Write one match per row (csv), or the arrays of `Matches` and `inlier` (npz). Raises OutputError.

    Args:
        path: file to write.
        matches: N matches.
        inliers: (N,) bool, all True without a calibration.
    """
    with writing(path) as part:
        if path.suffix == ".npz":
            arrays = {name: array for name, array in vars(matches).items() if array is not None}
            np.savez(part, **arrays, inlier=inliers)
            return
        rows = np.column_stack([matches.points_a, matches.points_b, matches.confidence, inliers])
        header, formats = "u_a,v_a,u_b,v_b,confidence,inlier", ["%.3f"] * 4 + ["%.4f", "%d"]
        np.savetxt(part, rows, formats, delimiter=",", header=header, comments="")


def _summary(figures: dict[str, Any]) -> str:
    confidence = figures["median_confidence"]
    median = "" if confidence is None else f", median confidence {confidence:.2f}"
    return f"{figures['matches']} matches{median}, {sum(figures['milliseconds'].values()):.0f} ms"


def print_figures(figures: dict[str, Any], picture: Path, as_json: bool) -> None:
    """Print a table, or JSON."""
    if as_json:
        print(json.dumps(figures, indent=1))
        return
    table = Table(show_header=False, box=None)
    table.add_row("matches", _summary(figures))
    pose = figures.get("pose")
    if pose:
        table.add_row("inliers", f"{pose['inliers']}, noise {pose['noise_px']:.2f} px")
        table.add_row("geometry", f"{pose['geometry']}, parallax {pose['parallax_px']:.1f} px")
        axis = f" about {_vector(pose['axis'])}" if pose["axis"] else ""
        table.add_row("rotation", f"{pose['rotation_deg']:.3f}°{axis}")
        table.add_row("direction", _vector(pose["direction"]) if pose["direction"] else "unknown: pure rotation")
        table.add_row("axes", "of the first camera: x right, y down, z forward")
    table.add_row("picture", escape(str(picture)))
    Console(soft_wrap=True).print(table)


def _vector(values: list[float]) -> str:
    return "({:+.3f}, {:+.3f}, {:+.3f})".format(*values)
