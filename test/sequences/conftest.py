"""Writes small sequences in each layout."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

WIDTH, HEIGHT = 64, 48
K = [50.0, 0.0, 31.0, 0.0, 50.0, 23.0, 0.0, 0.0, 1.0]
P = [50.0, 0.0, 31.0, 0.0, 0.0, 50.0, 23.0, 0.0, 0.0, 0.0, 1.0, 0.0]
BASELINE = 0.4


@pytest.fixture
def write_image() -> Callable[..., None]:
    """Write a gray image whose every pixel is `value`."""

    def write(path: Path, value: int = 0, width: int = WIDTH, height: int = HEIGHT, dtype: type = np.uint8) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((height, width), value, dtype))

    return write


@pytest.fixture
def write_calibration() -> Callable[..., None]:
    """Write a calibration of ROS; keyword arguments replace fields, None leaves one out."""

    def write(path: Path, baseline: float = 0.0, **changes: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        projection = [*P[:3], -P[0] * baseline, *P[4:]]
        fields = {
            "image_width": WIDTH,
            "image_height": HEIGHT,
            "camera_name": "test",
            "camera_matrix": {"rows": 3, "cols": 3, "data": K},
            "distortion_model": "plumb_bob",
            "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.0] * 5},
            "rectification_matrix": {"rows": 3, "cols": 3, "data": np.eye(3).ravel().tolist()},
            "projection_matrix": {"rows": 3, "cols": 4, "data": projection},
        } | changes
        path.write_text(yaml.safe_dump({name: value for name, value in fields.items() if value is not None}))

    return write


@pytest.fixture
def kitti(tmp_path: Path, write_image: Callable[..., None]) -> Path:
    """Three frames of all four cameras, moving 1 m forward each; images of camera c, frame i hold 10 c + i."""
    folder = tmp_path / "sequences" / "07"
    for camera in range(4):
        for i in range(3):
            write_image(folder / f"image_{camera}" / f"{i:06d}.png", 10 * camera + i)
    # Cameras 0 to 3 at x = 0, 0.4, -0.06 and 0.34 m: P[3] = -fx x.
    rows = [[*P[:3], -P[0] * x, *P[4:]] for x in (0.0, BASELINE, -0.06, BASELINE - 0.06)]
    (folder / "calib.txt").write_text("".join(f"P{c}: {' '.join(map(str, row))}\n" for c, row in enumerate(rows)))
    (folder / "times.txt").write_text("0.000000e+00\n1.044989e-01\n2.077935e-01\n")
    (tmp_path / "poses").mkdir()
    poses = [f"1 0 0 0 0 1 0 0 0 0 1 {z}\n" for z in range(3)]
    (tmp_path / "poses" / "07.txt").write_text("".join(poses))
    return folder


@pytest.fixture
def tum(tmp_path: Path, write_image: Callable[..., None], write_calibration: Callable[..., None]) -> Path:
    """Three color images; the depth stamps are off by 5, 15 and 30 ms."""
    folder = tmp_path / "tum"
    stamps, depth_stamps = (
        ("1305031453.359684", "1305031453.459684", "1305031453.559684"),
        (".364684", ".474684", ".589684"),
    )
    for i, stamp in enumerate(stamps):
        write_image(folder / "rgb" / f"{stamp}.png", i)
        write_image(folder / "depth" / f"1305031453{depth_stamps[i]}.png", 2000 * i, dtype=np.uint16)
    rgb = "".join(f"{stamp} rgb/{stamp}.png\n" for stamp in stamps)
    (folder / "rgb.txt").write_text(f"# timestamp filename\n{rgb}")
    depth = "".join(f"1305031453{stamp} depth/1305031453{stamp}.png\n" for stamp in depth_stamps)
    (folder / "depth.txt").write_text(f"# timestamp filename\n{depth}")
    (folder / "depth_scale.txt").write_text("1000\n")
    (folder / "groundtruth.txt").write_text("".join(f"{stamp} {i} 0 0 0 0 0 1\n" for i, stamp in enumerate(stamps)))
    write_calibration(folder / "camera.yaml")
    return folder


@pytest.fixture
def stereo_folder(tmp_path: Path, write_image: Callable[..., None], write_calibration: Callable[..., None]) -> Path:
    """Three rectified pairs left/frameN.png, right/frameN.png."""
    folder = tmp_path / "pair"
    for i in (2, 10, 9):
        write_image(folder / "left" / f"frame{i}.png", i)
        write_image(folder / "right" / f"frame{i}.png", 100 + i)
    write_calibration(folder / "left.yaml")
    write_calibration(folder / "right.yaml", baseline=BASELINE)
    return folder


@pytest.fixture
def euroc(tmp_path: Path, write_image: Callable[..., None]) -> Path:
    """Four frames of cam0 and three of cam1, whose cameras look along the x axis of the body, cam1 0.1 m to the right.

    The images of camera c at 1403715273_000000000 + 50 i ms hold 10 c + i; the body is at y = i meters.
    """
    folder = tmp_path / "V0_00"
    for camera, indices in enumerate(([0, 1, 2, 3], [0, 1, 3])):
        sensor = folder / "mav0" / f"cam{camera}"
        stamps = [1403715273_000000000 + 50_000_000 * i for i in indices]
        for i, stamp in zip(indices, stamps, strict=True):
            write_image(sensor / "data" / f"{stamp}.png", 10 * camera + i)
        lines = [f"{stamp},{stamp}.png" for stamp in stamps]
        (sensor / "data.csv").write_text("\r\n".join(["#timestamp [ns],filename", *lines, ""]))
        fields = {
            "sensor_type": "camera",
            # Optical to body axes (x forward, y left, z up).
            "T_BS": {"cols": 4, "rows": 4, "data": [0, 0, 1, 0.5, -1, 0, 0, -0.1 * camera, 0, -1, 0, 0.2, 0, 0, 0, 1]},
            "resolution": [WIDTH, HEIGHT],
            "intrinsics": [50.0 + camera, 51.0, 31.0, 23.0],
            "distortion_model": "radial-tangential",
            "distortion_coefficients": [-0.2, 0.1, 0.0, 0.0],
        }
        (sensor / "sensor.yaml").write_text(f"%YAML:1.0\n# The cameras of a test.\n{yaml.safe_dump(fields)}")
    truth = folder / "mav0" / "state_groundtruth_estimate0" / "data.csv"
    truth.parent.mkdir()
    # Rotated to the left by 90 degrees; velocity and the rest follow.
    rows = [f"{1403715273_000000000 + 50_000_000 * i},0,{i},0,0.70710678,0,0,0.70710678,9,9,9" for i in range(4)]
    truth.write_text("\n".join(["#timestamp, p_RS_R_x [m], p_RS_R_y [m]", *rows]))
    return folder
