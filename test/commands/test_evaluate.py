import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from loftr_ros.cli import main
from loftr_ros.evaluation.ate import evaluate
from loftr_ros.evaluation.trajectory import Trajectory, read_tum, write_kitti, write_tum
from loftr_ros.odometry.geometry import se3

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A loop, truth.tum, and half of it in another frame and scale, estimate.tum; both as .kitti, with times.txt."""
    angles = np.linspace(0, 2 * np.pi, 41)
    poses = np.array([se3.exp(np.array([0, 0, 0, 0, a, 0])) @ se3.transform(np.eye(3), [3.0, 0, 0]) for a in angles])
    truth = Trajectory(10**8 * np.arange(41), poses)
    moved = se3.exp(np.array([1.0, 2.0, 3.0, 0.4, 0.5, 0.6])) @ poses[:21]
    moved[:, :3, 3] *= 0.98
    for name, trajectory in (("truth", truth), ("estimate", Trajectory(truth.stamps_ns[:21], moved))):
        write_tum(tmp_path / f"{name}.tum", trajectory)
        write_kitti(tmp_path / f"{name}.kitti", trajectory)
    (tmp_path / "times.txt").write_text("".join(f"{0.1 * i:.6e}\n" for i in range(41)))
    return tmp_path


@pytest.fixture
def run_folder(files: Path) -> Path:
    """What `loftr-ros run --mode mono` would leave of estimate.tum, with the truth."""
    folder = files / "run"
    folder.mkdir()
    shutil.copy(files / "estimate.tum", folder / "trajectory.tum")
    shutil.copy(files / "truth.tum", folder / "groundtruth.tum")
    (folder / "run.json").write_text(json.dumps({"summary": {"scale_known": False}}))
    return folder


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the picture, which takes a second, where a test is about the figures or what is said."""
    monkeypatch.setattr("loftr_ros.evaluation.report.plot_axes", lambda *arguments: None)


def evaluation(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_files_of_tum(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(files / "estimate.tum"), "--groundtruth", str(files / "truth.tum")]) == 0
    figures = evaluation(files / "estimate_evaluation.json")
    errors = evaluate(read_tum(files / "estimate.tum"), read_tum(files / "truth.tum"), with_scale=False)
    assert (figures["poses"], figures["alignment"], figures["scale"]) == (21, "se3", 1.0)
    assert figures["path_m"] == pytest.approx(3 * np.pi, rel=0.01)
    assert figures["ate_m"]["rmse"] == pytest.approx(errors.ate_m)
    assert figures["ate_percent"] == pytest.approx(errors.ate_percent)
    assert figures["end"]["translation_m"] == pytest.approx(errors.end_m)
    assert figures["end"]["translation_percent"] == pytest.approx(errors.end_percent)
    assert figures["rpe"]["translation_m"]["mean"] == pytest.approx(errors.translation_mean_m)
    assert figures["rpe"]["pairs"] == 20
    assert [part["length_m"] for part in figures["drift"]["by_length"]] == [1, 2, 5]
    said = capsys.readouterr().out
    for word in ("21 poses", "SE(3)", f"rmse {errors.ate_m:.4g}", "RPE over one frame", "drift over 5 m"):
        assert word in said


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(("one", "other"), [("kitti", "tum"), ("tum", "kitti"), ("kitti", "kitti")])
def test_kitti_poses_with_times(files: Path, one: str, other: str) -> None:
    arguments = [str(files / f"estimate.{one}"), "--groundtruth", str(files / f"truth.{other}")]
    options = ["--times", str(files / "times.txt"), "--output", str(files / "out" / "new")]
    assert main(["evaluate", *arguments, *options]) == 0
    figures = evaluation(files / "out" / "new" / "estimate_evaluation.json")
    errors = evaluate(read_tum(files / "estimate.tum"), read_tum(files / "truth.tum"), with_scale=False)
    assert figures["poses"] == 21
    assert figures["ate_m"]["rmse"] == pytest.approx(errors.ate_m, abs=1e-7)


def test_folder_of_a_run_tells_its_truth_and_that_its_scale_is_unknown(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run_folder)]) == 0
    figures = evaluation(run_folder / "evaluation.json")
    assert figures["alignment"] == "sim3"
    assert figures["scale"] == pytest.approx(1 / 0.98)
    assert figures["scale_error_percent"] == pytest.approx(100 / 0.98 - 100)
    assert figures["ate_m"]["rmse"] == pytest.approx(0, abs=1e-7)
    assert "1.0204 applied to the estimate, an error of +2.04 %" in capsys.readouterr().out
    picture = cv2.imread(str(run_folder / "evaluation.png"))
    assert picture is not None
    assert picture.shape[1] > 1000


@pytest.mark.usefixtures("without_plots")
def test_alignment_and_delta_are_as_asked_for(run_folder: Path) -> None:
    rmse = {}
    for alignment in ("sim3", "se3", "origin", "none"):
        options = ["--align", alignment, "--delta", "2", "--delta-unit", "m"]
        assert main(["evaluate", str(run_folder), *options]) == 0
        figures = evaluation(run_folder / "evaluation.json")
        assert (figures["alignment"], figures["rpe"]["delta"], figures["rpe"]["unit"]) == (alignment, 2, "m")
        rmse[alignment] = figures["ate_m"]["rmse"]
    assert rmse["sim3"] < rmse["se3"] < rmse["origin"] < rmse["none"]


def test_path_too_short_for_a_segment(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (files / "estimate.tum").read_text().splitlines(keepends=True)
    (files / "short.tum").write_text("".join(lines[:2]))
    assert main(["evaluate", str(files / "short.tum"), "--groundtruth", str(files / "truth.tum")]) == 0
    assert evaluation(files / "short_evaluation.json")["drift"] is None
    assert "too short" in capsys.readouterr().out


@pytest.mark.usefixtures("matcher")
def test_run_leaves_a_folder_that_can_be_evaluated(sideways: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run = ["run", str(sideways), "--mode", "mono", "--output", str(output), "--no-progress"]
    assert main(run) == 0
    assert main(["evaluate", str(output)]) == 0
    errors = evaluation(output / "run.json")["summary"]["errors"]
    figures = evaluation(output / "evaluation.json")
    assert figures["alignment"] == "sim3"
    # The files have nine decimals.
    assert figures["ate_m"]["rmse"] == pytest.approx(errors["ate_m"], abs=1e-6)
    assert figures["end"]["translation_m"] == pytest.approx(errors["end_m"], abs=1e-6)
    (tmp_path / "poses" / "00.txt").unlink()
    assert main(run) == 0
    assert main(["evaluate", str(output)]) == 2, "the truth is that of an earlier run"


ROW = "{} 0 0 0 0 0 0 1\n"
BAD = {
    "missing.tum": (None, "missing.tum"),
    "other.tum": ("timestamp,x,y,z\n0,1,2,3\n", "cannot be used"),
    "clock.tum": ("".join(ROW.format(1_400_000_000 + i) for i in range(5)), "clock"),
    "one.tum": (ROW.format(0.1), "Fewer than two"),
    "nan.tum": (ROW.format(0.1) + "0.2 nan 0 0 0 0 0 1\n", "row 2"),
    "unsorted.tum": (ROW.format(0.2) + ROW.format(0.1), "order of time"),
    "empty.tum": ("", "TUM"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("as_truth", [False, True])
def test_files_that_cannot_be_compared(
    files: Path, capsys: pytest.CaptureFixture[str], name: str, as_truth: bool
) -> None:
    text, reason = BAD[name]
    if text is not None:
        (files / name).write_text(text)
    pair = ("estimate.tum", name) if as_truth else (name, "truth.tum")
    assert main(["evaluate", str(files / pair[0]), "--groundtruth", str(files / pair[1])]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert reason in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("estimate.tum",), ("--groundtruth",)),
        (("estimate.kitti", "--groundtruth", "truth.tum"), ("estimate.kitti", "--times")),
        (("estimate.kitti", "--groundtruth", "truth.tum", "--times", "truth.tum"), ("truth.tum", "a stamp")),
        (("estimate.tum", "--groundtruth", "truth.tum", "--delta", "1.5"), ("1.5 frames", "whole number")),
        (("estimate.tum", "--groundtruth", "truth.tum", "--delta", "50"), ("50 frames", "21")),
        (("estimate.tum", "--groundtruth", "truth.tum", "--output", "times.txt"), ("times.txt",)),
        (("run",), ("run.json",)),
    ],
)
def test_wrong_use(
    files: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    (files / "run").mkdir()
    named = [str(files / word) if (files / word).exists() else word for word in arguments]
    assert main(["evaluate", *named]) == 2
    said = capsys.readouterr().err
    assert said.startswith("loftr-ros: error: ")
    assert len(said.splitlines()) == 1
    assert all(word in said for word in words), said


def test_wrong_use_of_the_program(files: Path, loftr_ros_program: Program) -> None:
    result = loftr_ros_program("evaluate", files / "estimate.tum")
    assert result.returncode == 2
    assert result.stderr.startswith("loftr-ros: error: ")
    assert len(result.stderr.splitlines()) == 1


def test_folder_of_a_run_without_truth(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run_folder / "groundtruth.tum").unlink()
    assert main(["evaluate", str(run_folder)]) == 2
    assert "--groundtruth" in capsys.readouterr().err
    assert main(["evaluate", str(run_folder), "--groundtruth", str(run_folder.parent / "truth.tum")]) == 0


def warnings_about(
    files: Path, estimate: Trajectory, capsys: pytest.CaptureFixture[str], alignment: str = "auto"
) -> str:
    write_tum(files / "other.tum", estimate)
    given = ["evaluate", str(files / "other.tum"), "--groundtruth", str(files / "truth.tum"), "--align", alignment]
    assert main(given) == 0
    return capsys.readouterr().err


@pytest.mark.usefixtures("without_plots")
def test_estimate_without_scale_and_truth_in_other_units_are_told(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estimate = read_tum(files / "estimate.tum")
    assert warnings_about(files, estimate, capsys) == ""
    estimate.poses[:, :3, 3] *= 1000
    assert "would fit far better with a scale of 0.00102: use --align sim3" in warnings_about(files, estimate, capsys)


@pytest.mark.usefixtures("without_plots")
def test_orientations_in_another_order_are_told(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split() for line in (files / "estimate.tum").read_text().splitlines()]
    (files / "w_first.tum").write_text("".join(" ".join([*row[:4], row[7], *row[4:7]]) + "\n" for row in rows))
    assert "the quaternions of one file are in another order" in warnings_about(
        files, read_tum(files / "w_first.tum"), capsys
    )


def test_noise_of_a_camera_that_stands_still_is_no_wrong_scale(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = read_tum(files / "truth.tum")
    still = Trajectory(truth.stamps_ns, np.tile(np.eye(4), (len(truth), 1, 1)))
    assert warnings_about(files, still, capsys) == ""
    still.poses[:, :3, 3] = np.random.default_rng(0).normal(0, 0.01, (len(truth), 3))
    assert warnings_about(files, still, capsys) == ""


def optical(poses: np.ndarray) -> np.ndarray:
    """Poses of a body frame (x forward, y left, z up) instead of the camera."""
    turned = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    return np.asarray(poses @ turned)


def mirrored(poses: np.ndarray) -> np.ndarray:
    """The same orientations, and positions with y reversed."""
    return np.concatenate([poses[:, :, :3], poses[:, :, 3:] * np.array([1, -1, 1, 1])[:, None]], axis=2)


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda poses: poses, ""),
        (np.linalg.inv, "inverted: its poses are of the world in the camera"),
        (lambda poses: poses[::-1], "backwards"),
        (optical, "body instead of camera"),
        (mirrored, "an axis of the ground truth is reversed"),
    ],
)
def test_ground_truth_in_another_convention(
    files: Path, change: Callable[[np.ndarray], np.ndarray], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A curve in space, whose orientation turns about another axis than its path."""
    t = np.linspace(0, 4, 41)
    steps = [se3.exp(np.array([0.1, 0.04 * np.sin(a), 0.06 * a, 0.02 * a, 0.06, 0.03])) for a in t]
    poses = [np.eye(4)]
    for step in steps[1:]:
        poses.append(poses[-1] @ step)
    stamps = 10**8 * np.arange(41)
    write_tum(files / "truth.tum", Trajectory(stamps, change(np.array(poses))))
    said = warnings_about(files, Trajectory(stamps, np.array(poses)), capsys)
    assert expected in said
    assert bool(said) == bool(expected)


@pytest.mark.usefixtures("without_plots")
def test_few_common_times_are_told(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Frame numbers as stamps: the first and every tenth agree with seconds."""
    truth = read_tum(files / "truth.tum")
    write_tum(files / "truth.tum", Trajectory(10 * truth.stamps_ns, truth.poses))
    assert "only 5 of 41 poses" in warnings_about(files, truth, capsys)


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("alignment", ["auto", "sim3", "origin", "none"])
def test_a_ground_truth_at_rest_is_told(files: Path, alignment: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With a scale by least squares all errors are 0."""
    truth = read_tum(files / "truth.tum")
    write_tum(files / "truth.tum", Trajectory(truth.stamps_ns, np.tile(np.eye(4), (len(truth), 1, 1))))
    assert "the ground truth does not move" in warnings_about(files, truth, capsys, alignment)


@pytest.mark.parametrize("separator", [";", ", ", "\t"])
def test_exported_tables_are_read(files: Path, separator: str) -> None:
    rows = (files / "truth.tum").read_text().split("\n")
    text = "\n".join(["%time x y z qx qy qz qw", *rows]).replace(" ", separator)
    (files / "table.csv").write_text(text)
    np.testing.assert_array_equal(read_tum(files / "table.csv").poses, read_tum(files / "truth.tum").poses)
