"""`loftr-ros check SOURCE`: good input has no warning, and each fault is a finding."""

import json
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from loftr_ros.cli import main
from loftr_ros.odometry.checks.input_checks import InputChecks
from loftr_ros.odometry.checks.input_fault import InputWarning

Check = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def check(matcher: object, capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the command in this process; returns the exit code and the content of the JSON."""

    def run(source: Path, *options: str) -> tuple[int, dict[str, Any]]:
        code = main(["check", str(source), "--json", *options])
        return code, json.loads(capsys.readouterr().out)

    return run


def named(content: dict[str, Any], name: str, subject: str = "") -> dict[str, Any]:
    (found,) = (f for f in content["findings"] if f["name"] == name and subject in ("", f["subject"]))
    return dict(found)


def faults(content: dict[str, Any]) -> dict[str, str]:
    return {f["name"]: f["advice"] for f in content["findings"] if f["level"] != "ok"}


def test_a_good_pair(check: Check, sideways: Path) -> None:
    code, content = check(sideways)
    assert (code, content["mode"], faults(content)) == (0, "stereo", {})
    assert (content["source"], content["warnings"], content["errors"]) == (str(sideways), 0, 0)
    assert named(content, "layout")["figure"] == "KITTI odometry"
    assert named(content, "modes")["figure"] == "mono, stereo; no sensor for rgbd"
    assert named(content, "rate")["values"]["rate_hz"] == pytest.approx(10)
    assert named(content, "baseline")["values"]["baseline_m"] == pytest.approx(0.3)
    assert named(content, "format")["figure"] == "320x200, 8 bits, gray"
    assert named(content, "ground truth")["values"] == {"poses": 6, "covered_share": 1.0}
    assert named(content, "tracking")["values"]["tracking"] == 5
    assert named(content, "velocity")["values"]["speed_m_s"] == pytest.approx(0.8, rel=0.1)
    assert 2.4 < named(content, "depth")["values"]["median_m"] < 5.1


def test_a_good_depth_camera(check: Check, sideways_rgbd: Path) -> None:
    code, content = check(sideways_rgbd, "--frames", "3")
    assert (code, content["mode"], faults(content)) == (0, "rgbd", {})
    depth = named(content, "depth", "depth")
    assert "1000 counts a meter (depth_scale.txt)" in depth["figure"]
    assert depth["values"] == {"median_m": 3.75, "known_share": 1.0}
    assert named(content, "tracking")["values"]["tracking"] == 2


def test_without_the_odometry(check: Check, sideways: Path) -> None:
    _, content = check(sideways, "--no-motion", "--mode", "mono")
    assert content["mode"] == "mono"
    assert {f["subject"] for f in content["findings"]} == {"source", "time", "calibration", "images"}


def test_the_page(sideways: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(sideways), "--no-motion"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("0 errors, 0 warnings: all is well")


def test_a_source_that_is_none_gives_the_sentence_of_run(
    check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, content = check(tmp_path)
    assert (code, content["mode"]) == (1, None)
    assert main(["run", str(tmp_path), "--mode", "mono", "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"loftr-ros: error: {faults(content)['input']}\n"
    assert check(tmp_path / "nothing")[0] == 1


def test_a_right_camera_that_cannot_be_used_leaves_one_camera(check: Check, sideways: Path) -> None:
    calibration = sideways / "calib.txt"
    calibration.write_text(calibration.read_text().replace("-60.0", "60.0"))
    code, content = check(sideways)
    assert (code, content["mode"]) == (0, "mono")
    assert "not stereo: " in faults(content)["modes"]
    assert "left and right are not swapped" in faults(content)["modes"]
    code, content = check(sideways, "--mode", "stereo")
    assert (code, list(faults(content))) == (1, ["input"])


def test_damaged_images(check: Check, sideways: Path) -> None:
    path = sideways / "image_1" / "000003.png"
    path.write_bytes(path.read_bytes()[:200])
    code, content = check(sideways)
    assert code == 0
    assert "image_1/000003.png cannot be decoded" in faults(content)["damaged"]
    for path in (sideways / "image_1").iterdir():
        path.write_bytes(b"")
    code, content = check(sideways)
    assert (code, list(faults(content))) == (1, ["damaged"])


def test_an_image_of_another_size_stops_the_check(check: Check, sideways: Path) -> None:
    cv2.imwrite(str(sideways / "image_1" / "000004.png"), np.zeros((100, 320), np.uint8))
    code, content = check(sideways)
    assert code == 1
    assert "000004.png has 320x100 pixels" in faults(content)["images"]


def test_repeated_images_and_equal_sides(check: Check, sideways: Path) -> None:
    left, right = (sideways / f"image_{camera}" for camera in range(2))
    (left / "000002.png").write_bytes((left / "000001.png").read_bytes())
    assert list(faults(check(sideways, "--no-motion")[1])) == ["duplicates"]
    for path in left.iterdir():
        (right / path.name).write_bytes(path.read_bytes())
    code, content = check(sideways)
    assert (code, set(faults(content))) == (1, {"duplicates", "identical pair"})


def test_a_hole_in_time_and_ground_truth_of_another_time(check: Check, sideways_rgbd: Path) -> None:
    for name in ("rgb", "depth"):
        listing = sideways_rgbd / f"{name}.txt"
        listing.write_text(listing.read_text().replace("0.5 ", "2.5 "))
    truth = sideways_rgbd / "groundtruth.txt"
    truth.write_text("".join(f"9{row}\n" for row in truth.read_text().splitlines()))
    _, content = check(sideways_rgbd, "--no-motion")
    assert set(faults(content)) == {"gaps", "ground truth"}
    assert "after 4.png" in named(content, "gaps")["figure"]
    assert "another time" in faults(content)["ground truth"]


def test_depth_of_a_wrong_unit(check: Check, sideways_rgbd: Path) -> None:
    _, content = check(sideways_rgbd, "--no-motion", "--depth-scale", "50000")
    assert "check the unit" in faults(content)["depth"]


def test_depth_in_millimeters_whose_unit_is_a_guess(check: Check, sideways_rgbd: Path) -> None:
    (sideways_rgbd / "depth_scale.txt").unlink()
    for path in (sideways_rgbd / "depth").iterdir():
        cv2.imwrite(str(path), np.full((200, 320), 2000, np.uint16))
    _, content = check(sideways_rgbd, "--no-motion")
    assert "1000 counts a meter for millimeters" in faults(content)["depth"]
    assert "assumed as in the TUM benchmark" in named(content, "depth")["figure"]
    assert faults(check(sideways_rgbd, "--no-motion", "--depth-scale", "1000")[1]) == {}


def test_right_images_that_come_late(check: Check, recorded: Callable[[str], Path], tmp_path: Path) -> None:
    for camera in ("cam0", "cam1"):
        folder = tmp_path / "mav0" / camera
        folder.mkdir(parents=True)
        for name in ("data", "sensor.yaml"):
            (folder / name).symlink_to(recorded(f"euroc/V1_01_static/mav0/{camera}/{name}"))
        rows = recorded(f"euroc/V1_01_static/mav0/{camera}/data.csv").read_text().splitlines()[1:]
        late = 3_000_000 if camera == "cam1" else 0
        stamped = (row.split(",") for row in rows)
        (folder / "data.csv").write_text("".join(f"{int(stamp) + late},{name}\n" for stamp, name in stamped))
    _, content = check(tmp_path, "--no-motion")
    assert list(faults(content)) == ["sync"]
    assert named(content, "sync")["values"] == {"median_ms": 3.0, "largest_ms": 3.0}


def test_a_single_frame_and_a_camera_that_sees_nothing(check: Check, sideways: Path) -> None:
    for path in (sideways / "image_0").iterdir():
        cv2.imwrite(str(path), np.full((200, 320), 90, np.uint8))
    code, content = check(sideways)
    assert (code, list(faults(content))) == (1, ["duplicates", "left exposure"][::-1])
    for camera in range(2):
        for i in range(1, 6):
            (sideways / f"image_{camera}" / f"{i:06d}.png").unlink()
    code, content = check(sideways)
    assert code == 1
    assert "a motion takes two frames" in faults(content)["frames"]


def test_a_mode_that_the_source_does_not_support(check: Check, sideways: Path) -> None:
    code, content = check(sideways, "--mode", "rgbd")
    assert (code, list(faults(content))) == (1, ["input"])
    assert named(content, "modes")["values"] == {"supported": "mono stereo"}


def test_left_and_right_exchanged(check: Check, sideways: Path) -> None:
    (sideways / "image_0").rename(sideways / "image_9")
    (sideways / "image_1").rename(sideways / "image_0")
    (sideways / "image_9").rename(sideways / "image_1")
    code, content = check(sideways)
    assert (code, list(faults(content))) == (1, ["tracking", "left and right are swapped"])
    assert "5 left and right do not match: left and right may be swapped" in faults(content)["tracking"]


def test_images_that_do_not_match(check: Check, sideways: Path) -> None:
    rng = np.random.default_rng(1)
    for camera in range(2):
        for path in (sideways / f"image_{camera}").iterdir():
            cv2.imwrite(str(path), rng.integers(0, 256, (200, 320), np.uint8))
    code, content = check(sideways)
    assert (code, list(faults(content))) == (1, ["tracking", "left and right hardly match"])
    assert "matches agree on no motion" in faults(content)["tracking"]


def test_what_the_images_say_of_the_input(check: Check, sideways: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fault(Enum):
        PAIR = "pair not rectified"

    warning = InputWarning(Fault.PAIR, "the right image is 3 px lower: rectify again")  # type: ignore[arg-type]
    monkeypatch.setattr(InputChecks, "warnings", (warning,))
    code, content = check(sideways)
    assert (code, faults(content)) == (0, {"pair not rectified": warning.text})


@pytest.mark.parametrize("stride", [1, 3, 5])
@pytest.mark.parametrize(
    "name",
    ["kitti/sequences/06", "euroc/V1_01_static", "tum/tartanair_corridor", "tum/7scenes_kitchen", "tum/fr1_desk"],
)
def test_no_false_alarm_on_recorded_sequences(recorded: Callable[[str], Path], name: str, stride: int) -> None:
    from loftr_ros.checkup.findings import Level
    from loftr_ros.checkup.sequence_findings import sequence_findings
    from loftr_ros.checkup.sources import open_source

    opened = open_source(recorded(name), None, 30.0, None)
    assert opened.sequence is not None
    findings = [*opened.findings, *sequence_findings(opened.sequence.every(stride))]
    assert [finding for finding in findings if finding.level is not Level.OK] == []
    assert len(findings) > 8


def test_a_recorded_pair_is_looked_at_by_the_odometry(
    recorded: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--frames", "4", "--max-pixels", "120000", "--json")
    assert main(["check", str(recorded("kitti/sequences/06")), *options]) == 0
    content = json.loads(capsys.readouterr().out)
    assert faults(content) == {}
    assert named(content, "tracking")["values"]["tracking"] == 3
    assert named(content, "velocity")["values"]["speed_m_s"] == pytest.approx(11.5, rel=0.03)
