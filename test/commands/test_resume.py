"""`loftr-ros run --resume` goes on with an interrupted run."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from loftr_ros.cli import main
from loftr_ros.evaluation.trajectory import read_tum

pytestmark = pytest.mark.usefixtures("without_plots")

JOURNAL = "run.live.jsonl"


def run(source: Path, output: Path, *options: str) -> int:
    return main(["run", str(source), "--output", str(output), "--no-progress", *options])


def summary_of(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output / "run.json").read_text())
    return content["summary"]


@pytest.fixture
def stopped(sideways: Path, tmp_path: Path, matcher: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start a run that a signal ends at the fourth image that is matched; returns its folder."""

    def start(*options: str, number: int = signal.SIGTERM) -> Path:
        seen = 0
        extract = matcher.extract

        def stopping(image: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == 4:
                os.kill(os.getpid(), number)
            return extract(image)

        with monkeypatch.context() as patch:
            patch.setattr(matcher, "extract", stopping)
            assert run(sideways, tmp_path / "out", *options) == 128 + number
        return tmp_path / "out"

    return start


def test_stereo_goes_on_at_the_last_pose(
    sideways: Path, stopped: Any, matcher: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = stopped("--mode", "stereo")
    assert "with --resume goes on" in capsys.readouterr().err
    before = read_tum(output / "trajectory.tum")
    seen: list[Any] = []
    lengths: list[int] = []
    extract, live = matcher.extract, output / "trajectory.live.tum"

    def watched(image: Any) -> Any:
        seen.append(image)
        lengths.append(len(read_tum(live)))
        return extract(image)

    monkeypatch.setattr(matcher, "extract", watched)
    assert run(sideways, output, "--mode", "stereo", "--resume") == 0
    after = read_tum(output / "trajectory.tum")
    first = cv2.imread(str(sideways / "image_0" / "000000.png"), cv2.IMREAD_GRAYSCALE)
    assert not any(np.array_equal(image, first) for image in seen), "finished frames are not computed again"
    done = len(before)
    assert 2 < done < 6
    assert (lengths[0], lengths[-1]) == (done, 5), "what remains if it is killed again"
    np.testing.assert_array_equal(after.poses[:done], before.poses)
    np.testing.assert_allclose(after.positions[:, 0], 0.08 * np.arange(6), atol=0.012)
    np.testing.assert_allclose(after.positions[:, 1:], 0, atol=0.012)
    sigma = [frame["position_sigma"] for frame in json.loads((output / "run.json").read_text())["frames"]]
    assert sigma[done - 1] < sigma[done] < 3 * sigma[done - 1], "the uncertainty goes on, too"
    summary = summary_of(output)
    assert summary["resumed_at"] == [done]
    assert f"resumed at frame {done}: the odometry restarts there" in summary["notes"][-1]
    assert f"note: {summary['notes'][-1]}" in capsys.readouterr().err
    assert not (output / JOURNAL).exists()
    assert run(sideways, output, "--mode", "stereo", "--resume") == 0
    assert "is finished: nothing to resume" in capsys.readouterr().err


def test_killed_run_leaves_what_it_goes_on_from(sideways: Path, stopped: Any) -> None:
    """As after SIGKILL: no results, and a last line that ends anywhere."""
    output = stopped("--mode", "stereo")
    done = len(read_tum(output / "trajectory.tum"))
    for path in output.iterdir():
        if path.is_file() and path.name != JOURNAL:
            path.unlink()
    text = (output / JOURNAL).read_text()
    (output / JOURNAL).write_text(text[:-200])
    assert run(sideways, output, "--mode", "stereo", "--resume") == 0
    assert summary_of(output)["resumed_at"] == [done - 1]
    positions = read_tum(output / "trajectory.tum").positions
    np.testing.assert_allclose(positions[:, 0], 0.08 * np.arange(6), atol=0.012)


def test_run_that_is_out_of_memory_keeps_its_results(
    sideways: Path, tmp_path: Path, matcher: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    matched = 0
    match = matcher.match

    def full(*features: Any) -> Any:
        nonlocal matched
        matched += 1
        return np.empty(1 << 60, np.uint8) if matched == 5 else match(*features)

    output = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(matcher, "match", full)
        assert run(sideways, output, "--mode", "stereo") == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert error.startswith("loftr-ros: error: there is too little memory")
    done = len(read_tum(output / "trajectory.tum"))
    assert 2 <= done == summary_of(output)["frames"] < 6
    assert run(sideways, output, "--mode", "stereo", "--resume") == 0
    assert summary_of(output)["resumed_at"] == [done]


def test_frame_to_go_on_from_has_to_be_there(sideways: Path, stopped: Any, capsys: pytest.CaptureFixture[str]) -> None:
    output = stopped("--mode", "stereo")
    before = (output / "run.json").read_text()
    last = len(read_tum(output / "trajectory.tum")) - 1
    (sideways / "image_0" / f"{last:06d}.png").write_bytes(b"")
    assert run(sideways, output, "--mode", "stereo", "--resume") == 2
    assert f"Frame {last}, at which the run goes on, cannot be read" in capsys.readouterr().err
    assert (output / "run.json").read_text() == before


def test_single_camera_starts_again(sideways: Path, tmp_path: Path, stopped: Any) -> None:
    output = stopped("--mode", "mono", number=signal.SIGINT)
    assert run(sideways, output, "--mode", "mono", "--resume") == 0
    assert run(sideways, tmp_path / "whole", "--mode", "mono") == 0
    assert (output / "trajectory.tum").read_text() == (tmp_path / "whole" / "trajectory.tum").read_text()
    assert summary_of(output)["resumed_at"] == []


def test_another_run_is_refused(sideways: Path, stopped: Any, capsys: pytest.CaptureFixture[str]) -> None:
    output = stopped("--mode", "stereo")
    capsys.readouterr()
    assert run(sideways, output, "--mode", "mono", "--resume") == 2
    assert 'another mode ("stereo", now "mono")' in capsys.readouterr().err
    assert run(sideways, output, "--mode", "stereo", "--resume", "--max-speed", "3") == 2
    assert "another configuration" in capsys.readouterr().err


def test_skipped_images_are_counted_once(sideways: Path, stopped: Any) -> None:
    for number in (1, 5):
        (sideways / "image_1" / f"{number:06d}.png").write_bytes(b"")
    output = stopped("--mode", "stereo")
    assert run(sideways, output, "--mode", "stereo", "--resume") == 0
    summary = summary_of(output)
    assert [text.split("/")[-1][:6] for text in summary["skipped"]] == ["000001", "000005"]
    assert summary["frames"] == 4
