"""What `run` says about its input before it starts, and what it does with damaged images."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from loftr_ros.cli import main
from loftr_ros.evaluation.trajectory import read_tum

pytestmark = pytest.mark.usefixtures("matcher")


def run(source: Path, output: Path, *options: str) -> int:
    return main(["run", str(source), "--output", str(output), "--no-progress", *options])


def summary_of(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output / "run.json").read_text())["summary"]
    return content


def test_damaged_image_is_skipped_counted_and_reported(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sideways / "image_1" / "000003.png"
    path.write_bytes(path.read_bytes()[:200])
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 0
    trajectory = read_tum(tmp_path / "out" / "trajectory.tum")
    np.testing.assert_allclose(trajectory.positions[:, 0], 0.08 * np.array([0, 1, 2, 4, 5]), atol=0.012)
    said = capsys.readouterr()
    assert "1 with unusable images" in said.out
    assert "warning: skipped: " in said.err
    assert "image_1/000003.png cannot be decoded" in said.err
    (fault,) = summary_of(tmp_path / "out")["skipped"]
    assert "000003.png" in fault


def test_strict_stops_at_a_damaged_image_and_keeps_what_was_computed(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sideways / "image_1" / "000003.png").write_bytes(b"")
    assert run(sideways, tmp_path / "out", "--mode", "stereo", "--strict") == 2
    assert "error: " in capsys.readouterr().err
    assert len(read_tum(tmp_path / "out" / "trajectory.tum")) == 3


def test_cut_jpeg_is_damaged(sideways_rgbd: Path, tmp_path: Path) -> None:
    """OpenCV decodes one and fills the rest with gray."""
    for image in sorted((sideways_rgbd / "rgb").iterdir()):
        assert cv2.imwrite(str(image.with_suffix(".jpg")), cv2.imread(str(image)))
    cut = sideways_rgbd / "rgb" / "3.jpg"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 5])
    listing = sideways_rgbd / "rgb.txt"
    listing.write_text(listing.read_text().replace(".png", ".jpg"))
    assert run(sideways_rgbd, tmp_path / "out", "--mode", "rgbd") == 0
    assert summary_of(tmp_path / "out")["frames"] == 5
    assert "3.jpg" in summary_of(tmp_path / "out")["skipped"][0]


def test_mask_image_hides_part_of_every_image(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((200, 320), np.uint8)
    mask[:80] = 255
    matches = []
    for name, image in (("masked", mask), ("all", np.full_like(mask, 255))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
        options = ("--mode", "stereo", "--mask-image", str(tmp_path / f"{name}.png"))
        assert run(sideways, tmp_path / name, *options) == 0
        matches.append(summary_of(tmp_path / name)["median_matches"])
    assert 0.3 < matches[0] / matches[1] < 0.55
    assert summary_of(tmp_path / "all")["mask_image"] == str(tmp_path / "all.png")
    cv2.imwrite(str(tmp_path / "all.png"), mask[:50])
    capsys.readouterr()
    assert run(sideways, tmp_path / "no", *options) == 2
    assert "all.png is 320x50 but the images are 320x200: draw it on one of the images" in capsys.readouterr().err


def test_repeated_image_is_said_and_predicted_over(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for camera in range(2):
        images = sideways / f"image_{camera}"
        (images / "000003.png").write_bytes((images / "000002.png").read_bytes())
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 0
    trajectory = read_tum(tmp_path / "out" / "trajectory.tum")
    np.testing.assert_allclose(trajectory.positions[:, 0], 0.08 * np.arange(6), atol=0.012)
    assert "warning: 1 of the last 5 images are bit-identical to the one before" in capsys.readouterr().err
    assert summary_of(tmp_path / "out")["lost"] == {"image repeated": 1}


def test_without_one_readable_frame_there_is_no_result(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (sideways / "image_1").iterdir():
        path.write_bytes(b"")
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 1
    assert "All 6 frames" in capsys.readouterr().err


def resize(path: Path, width: int, height: int) -> None:
    assert cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (width, height)))


@pytest.mark.parametrize("name", ["image_0/000003.png", "image_1/000003.png"])
def test_image_of_another_size_is_skipped_counted_and_reported(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    resize(sideways / name, 160, 100)
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 0
    trajectory = read_tum(tmp_path / "out" / "trajectory.tum")
    np.testing.assert_allclose(trajectory.positions[:, 0], 0.08 * np.array([0, 1, 2, 4, 5]), atol=0.012)
    said = capsys.readouterr()
    assert "1 with unusable images" in said.out
    assert f"{name} has 160x100 pixels, but the camera has 320x200" in said.err


def test_strict_stops_at_an_image_of_another_size(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resize(sideways / "image_1" / "000003.png", 160, 100)
    assert run(sideways, tmp_path / "out", "--mode", "stereo", "--strict") == 2
    assert "error: " in capsys.readouterr().err
    assert len(read_tum(tmp_path / "out" / "trajectory.tum")) == 3


def test_calibration_of_another_size_than_all_images_is_one_error(
    sideways_rgbd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (sideways_rgbd / "rgb").iterdir():
        resize(path, 160, 100)
    assert run(sideways_rgbd, tmp_path / "out", "--mode", "mono") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_first_image_of_kitti_that_is_damaged_is_skipped(sideways: Path, tmp_path: Path) -> None:
    (sideways / "image_0" / "000000.png").write_bytes(b"")
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 0
    assert len(read_tum(tmp_path / "out" / "trajectory.tum")) == 5


def test_many_damaged_images_do_not_fill_the_terminal(
    long_way: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(1, 16):
        (long_way / "image_1" / f"{i:06d}.png").write_bytes(b"")
    assert run(long_way, tmp_path / "out", "--mode", "stereo") == 0
    said = capsys.readouterr().err
    assert said.count("warning: skipped: ") == 11
    assert "skipped: 5 more images" in said
    assert len(summary_of(tmp_path / "out")["skipped"]) == 15


def test_missing_image_is_said_and_costs_no_accuracy(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for camera in range(2):
        (sideways / f"image_{camera}" / "000002.png").unlink()
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 0
    assert "note: image_0 has 5 images for 6 stamps, 1 missing" in capsys.readouterr().err
    assert summary_of(tmp_path / "out")["errors"]["ate_percent"] < 2
    assert len(summary_of(tmp_path / "out")["notes"]) == 1


def test_unit_and_median_of_the_depth_are_said_and_can_be_set(
    sideways_rgbd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sideways_rgbd / "depth_scale.txt").unlink()
    assert run(sideways_rgbd, tmp_path / "out", "--mode", "rgbd", "--depth-scale", "1000") == 0
    assert "depth in 1000 counts a meter (--depth-scale), median 3.75 m in 0.png" in capsys.readouterr().err
    positions = read_tum(tmp_path / "out" / "trajectory.tum").positions
    np.testing.assert_allclose(positions[:, 0], 0.08 * np.arange(6), atol=0.012)


@pytest.mark.parametrize("scale", ["0.001", "inf", "nan"])
def test_depth_scale_written_the_other_way_round(
    sideways_rgbd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], scale: str
) -> None:
    with pytest.raises(SystemExit):
        run(sideways_rgbd, tmp_path / "out", "--mode", "rgbd", "--depth-scale", scale)
    assert "give 1000 for millimeters" in capsys.readouterr().err


def test_images_of_twelve_bits_are_tracked_and_said(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for camera in range(2):
        for path in (sideways / f"image_{camera}").iterdir():
            gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            cv2.imwrite(str(path), gray.astype(np.uint16) * 16)
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 0
    assert "16 bits are stretched by content" in capsys.readouterr().err
    positions = read_tum(tmp_path / "out" / "trajectory.tum").positions
    np.testing.assert_allclose(positions[:, 0], 0.08 * np.arange(6), atol=0.012)
