"""What a user may get wrong: one sentence, exit code 2, never a traceback."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from loftr_ros.cli import COMMANDS, main

Program = Callable[..., "subprocess.CompletedProcess[str]"]


def assert_one_sentence(result: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert result.returncode == 2, result.stderr
    # The rich of Debian 12 leaves an empty line where a bar was.
    assert result.stderr.lstrip().startswith("loftr-ros: error: ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert all(word in result.stderr for word in words), result.stderr


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Give wrong arguments to the program, in this process: torch takes seconds to import."""

    def check(arguments: tuple[object, ...], *words: str) -> None:
        code = main([str(argument) for argument in arguments])
        assert_one_sentence(subprocess.CompletedProcess(arguments, code, *capfd.readouterr()), *words)

    return check


def test_folder_that_is_no_sequence(refused: Callable[..., None], tmp_path: Path) -> None:
    arguments = ("run", tmp_path, "--mode", "mono", "--output", tmp_path / "out")
    refused(arguments, str(tmp_path), "no sequence", "image_0", "rgb.txt", "camera.yaml")


def test_stereo_pair_of_different_sizes(
    loftr_ros_program: Program, sideways: Path, checkpoint: Path, tmp_path: Path
) -> None:
    """While the program runs, and as a process."""
    for path in (sideways / "image_1").iterdir():
        cv2.imwrite(str(path), np.zeros((100, 320), np.uint8))
    options = ("--mode", "stereo", "--output", tmp_path / "out", "--checkpoint", checkpoint, "--no-progress")
    assert_one_sentence(loftr_ros_program("run", sideways, *options), "000000.png", "320x100", "320x200")


def test_source_without_depth(refused: Callable[..., None], sideways: Path, tmp_path: Path) -> None:
    refused(("run", sideways, "--mode", "rgbd", "--output", tmp_path / "out"), str(sideways), "depth", "mono or stereo")
    assert not (tmp_path / "out").exists()


def test_checkpoint_that_is_none(refused: Callable[..., None], sideways: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"nothing of use")
    options = ("--mode", "mono", "--output", tmp_path / "out", "--checkpoint", tmp_path / "bad.safetensors")
    refused(("run", sideways, *options), "bad.safetensors")


def test_device_that_does_not_exist(
    refused: Callable[..., None], sideways: Path, checkpoint: Path, tmp_path: Path
) -> None:
    options = ("--mode", "mono", "--output", tmp_path / "out", "--checkpoint", checkpoint, "--device", "abacus")
    refused(("run", sideways, *options), "abacus")


def test_output_that_is_a_file(refused: Callable[..., None], sideways: Path, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    refused(("run", sideways, "--mode", "mono", "--output", tmp_path / "out"), str(tmp_path / "out"))


@pytest.mark.parametrize("option", ["--output", "--json"])
def test_place_of_a_recording_is_checked_before_it(loftr_ros_program: Program, tmp_path: Path, option: str) -> None:
    places = {"--output": tmp_path / "odometry.tum", "--json": tmp_path / "times.json"}
    places[option].mkdir()
    result = loftr_ros_program("record", *(word for place in places.items() for word in place), "--timeout", 30)
    assert_one_sentence(result, f"{places[option]} is a folder")


@pytest.mark.parametrize("arguments", [(), ("fly",), ("run",), ("run", ".", "--mode", "sonar", "--output", "out")])
def test_wrong_usage(loftr_ros_program: Program, arguments: tuple[str, ...]) -> None:
    result = loftr_ros_program(*arguments)
    assert result.returncode == 2
    assert "usage: loftr-ros" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_names_every_command(loftr_ros_program: Program) -> None:
    result = loftr_ros_program("--help")
    assert result.returncode == 0
    assert all(name in result.stdout for name in COMMANDS)


def test_version(loftr_ros_program: Program) -> None:
    result = loftr_ros_program("--version")
    assert (result.returncode, result.stdout.split()[0]) == (0, "loftr_ros")
