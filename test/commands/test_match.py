"""`loftr-ros match` on two rendered views of a room, with optical flow in place of the network."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray

from loftr_ros.cli import main
from loftr_ros.demo.room import make_room
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.odometry.geometry import se3
from loftr_ros.training.data.rendering import render

WIDTH, HEIGHT, FOCAL = 320, 240, 210.0
STEP = se3.transform(se3.exp_rotation([0.02, -0.03, 0.01]), [0.15, -0.05, 0.1])  # T_a_b


@pytest.fixture
def views(tmp_path: Path) -> tuple[Path, Path]:
    """Two images of the demo's room."""
    start = se3.transform(se3.exp_rotation([0.0, 0.6, 0.0]), [2.2, 0.0, 0.0])
    paths = tmp_path / "a.png", tmp_path / "b.png"
    room = make_room()
    K = torch.tensor([[FOCAL, 0, WIDTH / 2 - 0.5], [0, FOCAL, HEIGHT / 2 - 0.5], [0, 0, 1]])
    for path, pose in zip(paths, (start, start @ STEP), strict=True):
        view = render(room.scene, room.atlas, K[None], torch.from_numpy(pose).float()[None], (HEIGHT, WIDTH))
        cv2.imwrite(str(path), (255 * view.image[0, 0].numpy()).astype(np.uint8))
    return paths


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    return write_camera(tmp_path / "camera.yaml", WIDTH)


def write_camera(path: Path, width: int) -> Path:
    K = [FOCAL, 0, width / 2 - 0.5, 0, FOCAL, HEIGHT / 2 - 0.5, 0, 0, 1]
    fields = {
        "image_width": width,
        "image_height": HEIGHT,
        "distortion_model": "plumb_bob",
        "camera_matrix": {"rows": 3, "cols": 3, "data": K},
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.0] * 5},
    }
    path.write_text(yaml.safe_dump(fields))
    return path


def match(views: tuple[Path, Path], output: Path, *options: object) -> int:
    return main(["match", *map(str, views), "--output", str(output), *map(str, options)])


def rotation_error_deg(T: NDArray[np.float64]) -> float:
    return float(np.degrees(np.linalg.norm(se3.log_rotation(T[:3, :3].T @ STEP[:3, :3]))))


def assert_one_sentence(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    error = capsys.readouterr().err
    assert error.startswith("loftr-ros: error: ")
    assert len(error.strip().splitlines()) == 1
    assert all(word in error for word in words), error


@pytest.mark.usefixtures("matcher")
def test_pose_is_that_of_the_rendered_step(
    views: tuple[Path, Path], camera: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert match(views, tmp_path / "new" / "out.png", "--camera", camera, "--json") == 0
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    pose = figures["pose"]
    assert pose["geometry"] == "general"
    assert 0.6 * figures["matches"] < pose["inliers"] <= figures["matches"]
    T = np.array(pose["T_a_b"])
    assert rotation_error_deg(T) < 0.2
    assert T[:3, 3] @ STEP[:3, 3] > np.cos(np.radians(2.0)) * np.linalg.norm(STEP[:3, 3])
    assert pose["direction"] == pytest.approx(T[:3, 3].tolist())
    turn = se3.exp_rotation(np.radians(pose["rotation_deg"]) * np.array(pose["axis"]))
    np.testing.assert_allclose(turn, T[:3, :3], atol=1e-6)
    picture = cv2.imread(str(tmp_path / "new" / "out.png"))
    assert picture.shape[0] > HEIGHT
    assert picture.shape[1] == 2 * WIDTH


@pytest.mark.usefixtures("matcher")
def test_table_for_people(
    views: tuple[Path, Path], camera: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert match(views, tmp_path / "out.jpg", "--camera", camera) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("median confidence", "inliers", "general", "rotation", "direction"))
    assert match(views, tmp_path / "out.jpg") == 0
    assert "rotation" not in capsys.readouterr().out


@pytest.mark.usefixtures("matcher")
def test_subpixel_refinement_can_be_switched_off(
    views: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refined = []
    monkeypatch.setattr(
        "loftr_ros.odometry.images.subpixel.refine_subpixel",
        lambda image_a, image_b, matches, _: refined.append(1) or matches,
    )
    match(views, tmp_path / "out.png", "--no-subpixel-refinement")
    assert not refined
    match(views, tmp_path / "out.png")
    assert refined


@pytest.mark.usefixtures("matcher")
def test_matches_as_table_and_as_arrays(views: tuple[Path, Path], camera: Path, tmp_path: Path) -> None:
    for name in ("matches.csv", "matches.npz"):
        assert match(views, tmp_path / "out.png", "--camera", camera, "--matches", tmp_path / name) == 0
    rows = np.genfromtxt(tmp_path / "matches.csv", delimiter=",", names=True)
    arrays = np.load(tmp_path / "matches.npz")
    assert rows.dtype.names == ("u_a", "v_a", "u_b", "v_b", "confidence", "inlier")
    np.testing.assert_allclose(np.column_stack([rows["u_b"], rows["v_b"]]), arrays["points_b"], atol=1e-3)
    assert 0 < rows["inlier"].sum() == arrays["inlier"].sum()
    assert len(rows) == len(arrays["cell_a"])


def test_the_matcher_works_as_the_options_say(views: tuple[Path, Path], tmp_path: Path, matcher: Any) -> None:
    options = ("--max-matches", 50, "--max-pixels", 30_000, "--precision", "float32")
    match(views, tmp_path / "out.png", "--matches", tmp_path / "best.npz", *options)
    assert len(np.load(tmp_path / "best.npz")["cell_a"]) == 50
    assert (matcher.budget, matcher.precision) == (ComputeBudget(30_000, 50), "float32")


@pytest.mark.usefixtures("matcher")
def test_camera_of_another_size(
    views: tuple[Path, Path], camera: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = write_camera(tmp_path / "wide.yaml", WIDTH + 40)
    assert match(views, tmp_path / "out.png", "--camera", wide) == 2
    assert_one_sentence(capsys, "a.png", "320x240", "wide.yaml", "360x240")
    assert match(views, tmp_path / "out.png", "--camera", camera, "--camera-b", wide) == 2
    assert_one_sentence(capsys, "b.png", "320x240", "wide.yaml", "360x240", "--camera-b")
    assert match(views, tmp_path / "out.png", "--camera-b", camera) == 2
    assert_one_sentence(capsys, "--camera for the first")


@pytest.mark.usefixtures("matcher")
def test_impossible_and_unlikely_calibrations(
    views: tuple[Path, Path], camera: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = camera.read_text()
    camera.write_text(text.replace(f"- {FOCAL}\n", "- 0.66\n"))
    assert match(views, tmp_path / "out.png", "--camera", camera) == 2
    assert_one_sentence(capsys, "camera.yaml", "not in pixels")
    camera.write_text(text.replace(f"- {FOCAL}\n", "- 20\n"))
    match(views, tmp_path / "out.png", "--camera", camera)
    assert capsys.readouterr().err.count("warning: " + str(camera) + ": the field of view is 165.7 degrees") == 1


@pytest.mark.usefixtures("matcher")
def test_images_without_overlap_are_drawn_and_refused(
    views: tuple[Path, Path], camera: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH), np.uint8)
    cv2.imwrite(str(views[1]), noise)
    assert match(views, tmp_path / "out.png", "--camera", camera, "--max-matches", 20) == 1
    assert_one_sentence(capsys, "too few are consistent")
    assert (tmp_path / "out.png").exists()


@pytest.mark.usefixtures("matcher")
def test_images_that_cannot_be_used(
    views: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert match((views[0], tmp_path / "none.png"), tmp_path / "out.png") == 2
    assert_one_sentence(capsys, "none.png")
    views[1].write_bytes(b"no image")
    assert match(views, tmp_path / "out.png") == 2
    assert_one_sentence(capsys, "b.png cannot be decoded")
    cv2.imwrite(str(views[1]), np.zeros((63, 200), np.uint8))
    assert match(views, tmp_path / "out.png") == 2
    assert_one_sentence(capsys, "b.png", "200x63", "64x64")


@pytest.mark.usefixtures("matcher")
def test_output_that_cannot_be_written(
    views: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert match(views, views[0] / "out.png") == 2
    assert_one_sentence(capsys, "cannot be created")
    (tmp_path / "folder.png").mkdir()
    assert match(views, tmp_path / "folder.png") == 2
    assert_one_sentence(capsys, "folder.png is a folder")
    for options in (["--output", "out.txt"], ["--output", "out.png", "--matches", "out.xlsx"]):
        with pytest.raises(SystemExit):
            main(["match", *map(str, views), *options])
        assert "does not end in" in capsys.readouterr().err


def test_network_and_images_of_two_cameras(
    views: tuple[Path, Path], camera: Path, tmp_path: Path, loftr_ros_program: Any
) -> None:
    cv2.imwrite(str(views[1]), cv2.imread(str(views[1]), cv2.IMREAD_GRAYSCALE)[:, 20:-20])
    narrow = write_camera(tmp_path / "narrow.yaml", WIDTH - 40)
    options = ("--output", tmp_path / "out.png", "--camera", camera, "--camera-b", narrow, "--json")
    result = loftr_ros_program("match", *views, *options)
    assert result.returncode == 0, result.stderr
    pose = json.loads(result.stdout)["pose"]
    assert pose["inliers"] > 100
    assert rotation_error_deg(np.array(pose["T_a_b"])) < 0.5
