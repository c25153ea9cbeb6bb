"""Calibrations that are guessed, by an explicit option only, and those published for TUM RGB-D."""

import json
import shutil
from fractions import Fraction
from math import hypot, radians, tan
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from loftr_ros.cli import main
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.formats import open_best, open_sequence

WIDTH, HEIGHT = 320, 200


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three images without calibration."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((HEIGHT, WIDTH), 10 * i, np.uint8))
    return folder


def test_field_of_view_is_that_of_the_width(images: Path) -> None:
    mode, sequence = open_best(images, fov=70)
    assert mode == "mono"
    assert sequence.calibration_guess == "calibration guessed from a field of view of 70°"
    assert "taking 228.5 px" in sequence.notes[0]
    K = sequence.camera.K
    left, right = ((u - K[0, 2]) / K[0, 0] for u in (-0.5, WIDTH - 0.5))
    assert (left, right) == pytest.approx((-tan(radians(35)), tan(radians(35))))
    assert (K[1, 1], K[1, 2]) == (K[0, 0], (HEIGHT - 1) / 2)
    assert not sequence.camera.distortion.any()


def with_exif(folder: Path, tags: dict[int, object]) -> None:
    for path in folder.iterdir():
        exif = Image.Exif()
        exif.get_ifd(0x8769).update(tags)
        Image.open(path).save(path.with_suffix(".jpg"), exif=exif)
        path.unlink()


@pytest.mark.parametrize(
    ("tags", "focal"),
    [
        ({0xA405: 26}, 26 / hypot(36, 24) * hypot(WIDTH, HEIGHT)),
        # 5 mm at 1000 pixels a centimeter, in images twice as large as these.
        (
            {0x920A: TiffImagePlugin.IFDRational(5, 1), 0xA20E: TiffImagePlugin.IFDRational(Fraction(1000)), 0xA210: 3,
             0xA002: 2 * WIDTH},
            250,
        ),
    ],
)  # fmt: skip
def test_focal_length_of_the_exif(images: Path, tags: dict[int, object], focal: float) -> None:
    with_exif(images, tags)
    sequence = open_sequence(images, fov="exif")
    assert sequence.camera.K[0, 0] == pytest.approx(focal)
    assert "focal length in the EXIF of 0.jpg" in sequence.calibration_guess


def test_nothing_is_guessed_without_the_option_or_the_numbers(images: Path) -> None:
    with pytest.raises(SequenceError, match=r"camera.yaml .*camera_matrix: \[fx.*cameracalibrator.*--fov DEGREES"):
        open_sequence(images)
    with pytest.raises(SequenceError, match=r"0.png has no focal length in its EXIF .*--fov DEGREES \(a phone"):
        open_sequence(images, fov="exif")


def test_a_calibration_is_not_replaced_by_a_guess(images: Path, tmp_path: Path) -> None:
    (images / "camera.yaml").touch()
    with pytest.raises(SequenceError, match=r"has a calibration, camera.yaml, so none is guessed: remove --fov"):
        open_sequence(images, fov=60)
    kitti = tmp_path / "00"
    shutil.copytree(images, kitti / "image_0")
    with pytest.raises(SequenceError, match="KITTI odometry, so none is guessed"):
        open_sequence(kitti, fov=60)


def test_video(images: Path, tmp_path: Path) -> None:
    video = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (WIDTH, HEIGHT))
    for path in sorted(images.iterdir()):
        writer.write(cv2.imread(str(path)))
    writer.release()
    with pytest.raises(SequenceError, match=r"camera_matrix: \[fx.*--fov DEGREES"):
        open_sequence(video)
    with pytest.raises(SequenceError, match=r"drive.avi has no EXIF: give the field of view"):
        open_sequence(video, fov="exif")
    sequence = open_sequence(video, fov=90)
    assert sequence.camera.K[0, 0] == pytest.approx(WIDTH / 2)
    assert len(sequence) == 3


@pytest.mark.parametrize("text", ["0", "180", "wide", "nan"])
def test_no_angle(images: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", str(images), "--fov", text])
    assert "argument --fov" in capsys.readouterr().err


def test_published_calibrations_of_tum(tmp_path: Path) -> None:
    for name in ("rgbd_dataset_freiburg2_desk", "elsewhere"):
        folder = tmp_path / name
        (folder / "rgb").mkdir(parents=True)
        cv2.imwrite(str(folder / "rgb" / "0.png"), np.zeros((480, 640), np.uint8))
        (folder / "rgb.txt").write_text("0.0 rgb/0.png\n")
    sequence = open_sequence(tmp_path / "rgbd_dataset_freiburg2_desk")
    assert sequence.camera.K[0, 0] == 520.9
    assert sequence.camera.distortion[0] == 0.2312
    assert "published for freiburg2" in sequence.notes[0]
    assert sequence.calibration_guess == ""
    with pytest.raises(SequenceError, match=r"camera.yaml cannot be read.*--fov DEGREES"):
        open_sequence(tmp_path / "elsewhere")
    assert open_sequence(tmp_path / "elsewhere", fov=60).calibration_guess
    with pytest.raises(SequenceError, match="that of its data set, so none is guessed"):
        open_sequence(tmp_path / "rgbd_dataset_freiburg2_desk", fov=60)


def test_check_says_it(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(images), "--fov", "70", "--no-motion", "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert any("guessed from a field of view of 70°" in json.dumps(f, ensure_ascii=False) for f in findings)
