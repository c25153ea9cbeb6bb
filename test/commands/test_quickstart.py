"""The commands of the quick start, one after the other, on recordings of the kinds that it names."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from loftr_ros.cli import main

pytestmark = pytest.mark.usefixtures("matcher")
PAGE = (Path(__file__).parents[2] / "docs" / "quickstart.md").read_text()


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def run_commands(heading: str) -> int:
    """Run every `loftr-ros` in the blocks of code of a section; returns their number."""
    code = "".join(re.findall(r"^```\n(.*?)^```", section(heading), re.MULTILINE | re.DOTALL))
    lines = (shlex.split(line, comments=True) for line in code.splitlines())
    commands = [
        [str(Path(word).expanduser()) if word[0] == "~" else word for word in words] for words in lines if words
    ]
    for program, *arguments in commands:
        assert program == "loftr-ros"
        assert main(arguments) == 0, arguments
    return len(commands)


def test_a_recording(sideways: Path, sideways_rgbd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_recordings(sideways / "image_0", sideways_rgbd)
    assert run_commands("A recording") == 6
    files = [
        name
        for row in re.findall(r"^\| (`.*?) \|", section("A recording"), re.M)
        for name in re.findall(r"[\w.]+", row)
    ]
    assert {"trajectory.tum", "report.html"} <= set(files)
    for name in files:
        assert (tmp_path / "out" / "drive" / name).is_file(), name
    for folder in ("ros1", "video", "images"):
        assert (tmp_path / "out" / folder / "trajectory.png").is_file(), folder


def make_recordings(images: Path, with_depth: Path) -> None:
    """Write the recordings of the page in the current folder: bags, a video, and a folder of images."""
    assert main(["play", str(with_depth), "--bag", "drive.mcap"]) == 0
    convert = (sys.executable, "-m", "rosbags.convert", "--src", "drive.mcap", "--dst", "drive.bag")
    subprocess.run(convert, check=True, timeout=60)
    shutil.copytree(images, "images")
    for folder in (Path(), Path("images")):
        shutil.copy(with_depth / "camera.yaml", folder / "camera.yaml")
    video = cv2.VideoWriter("drive.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 10, (320, 200))
    for image in sorted(images.iterdir()):
        video.write(cv2.imread(str(image)))
    video.release()


def test_a_data_set(long_way: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shutil.move(tmp_path / "sequences", tmp_path / "kitti" / "sequences")
    shutil.move(tmp_path / "poses", tmp_path / "kitti" / "poses")
    (tmp_path / "kitti" / "sequences" / "00").rename(tmp_path / "kitti" / "sequences" / "06")
    (tmp_path / "kitti" / "poses" / "00.txt").rename(tmp_path / "kitti" / "poses" / "06.txt")
    assert run_commands("A data set") == 4
    assert (tmp_path / "out" / "comparison.html").is_file()
