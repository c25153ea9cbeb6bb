"""The page about runs: what it says, that it is self-contained, and that a browser draws it."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from loftr_ros.cli import main
from loftr_ros.evaluation.trajectory import Trajectory, write_tum
from loftr_ros.output import REPORT_FILE
from loftr_ros.reports.page.charts import MAX_POINTS, page_data
from loftr_ros.reports.page.run_folder import RunFolder
from loftr_ros.reports.run_log import TRAJECTORY_FILE, TRUTH_FILE, RunLogError
from loftr_ros.reports.worst_frames import FOLDER

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Reports errors, and by how much the page is wider than the window.
PROBE = """<script>
const faults = [];
addEventListener("error", (event) => faults.push(event.message));
addEventListener("load", () => setTimeout(() => {
  const wider = document.documentElement.scrollWidth - innerWidth;
  document.body.dataset.probe = JSON.stringify({ faults, wider });
}, 5000));
</script>"""


def write_run(folder: Path, frames: int = 40, truth: bool = True, scale_known: bool = True, **summary: object) -> Path:
    """Write the results of a run along a curve, 2 % too long, whose frames 10 to 14 are lost."""
    folder.mkdir(parents=True)
    steps = np.arange(frames)
    stamps = 1_000_000_000 + 100_000_000 * steps.astype(np.int64)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, 3] = np.stack([np.sin(steps / 10), 0 * steps, 0.1 * steps], axis=1)
    longer = poses.copy()
    longer[:, :3, 3] *= 1.02
    write_tum(folder / TRAJECTORY_FILE, Trajectory(stamps, longer))
    if truth:
        write_tum(folder / TRUTH_FILE, Trajectory(stamps, poses))
    states = ["initializing", *["tracking"] * 9, *["lost"] * 5, *["tracking"] * (frames - 15)]
    records = [
        {"stamp_ns": int(stamp), "state": state, "matches": 100 * (i > 0), "inliers": 80 * (i > 0), "keyframe": i == 0,
         "speed": 1.0, "position_sigma": 0.01 * i, "rotation_sigma_deg": 0.1,
         "milliseconds": {"extract": 50.0, "pose": 5.0}}
        for i, (stamp, state) in enumerate(zip(stamps, states, strict=True))
    ]  # fmt: skip
    content = {
        "source": "there", "mode": "stereo", "checkpoint": "compact", "device": "cpu", "scale_known": scale_known,
        "states": {"tracking": frames - 6, "lost": 5, "initializing": 1}, "lost": {"too few matches": 5},
        "median_matches": 100.0, "median_inliers": 80.0, "median_milliseconds": {"frame": 55.0}, "keyframes": 1,
        "config": {"max_speed": 3.0}, **summary,
    }  # fmt: skip
    (folder / REPORT_FILE).write_text(json.dumps({"summary": content, "frames": records}))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = write_run(
        tmp_path / "first",
        input_warnings={"depth unit": "the depth is <b>wrong</b>"},
        remarks={"depth unit": 12},
        worst_frames=[{"index": 10, "inlier_ratio": 0.25, "file": "frame_000010.jpg"}],
    )
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "frame_000010.jpg").write_bytes(b"\xff\xd8 no real picture \xff\xd9")
    return folder


def text_of(page: str) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", page))


def test_what_the_page_says(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    page = (run / "report.html").read_text()
    text = text_of(page)
    for words in ("40 (34 tracking, 5 lost, 1 initializing)", "5 too few matches", "max_speed", "55 ms (median)"):
        assert words in text
    assert "the depth is <b>wrong</b> (12 frames)" in text, "as text, not as markup"
    assert "frame 10, inlier ratio 25 %" in text
    assert "data:image/jpeg;base64," in page


def test_nothing_is_loaded_from_elsewhere(run: Path) -> None:
    main(["report", str(run)])
    page = (run / "report.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []
    assert [url for url in re.findall(r"https?://[^\s\"']+", page) if "www.w3.org/2000/svg" not in url] == []


def test_data_of_the_charts(run: Path) -> None:
    data = page_data([RunFolder.read(run)])
    charts = {chart["title"]: chart for chart in data["charts"]}
    assert [one["name"] for one in charts["time of a frame"]["series"]] == ["extract", "pose"]
    assert charts["standard deviation of the position"]["series"][0]["y"][:3] == [0.0, 0.01, 0.02]
    ratio = charts["inlier ratio"]["series"][0]["y"]
    assert ratio[:2] == [None, 0.8], "unknown without matches"
    error = charts["position error"]["series"][0]["y"]
    assert 0.01 < max(error) < 0.1, "2 % of 4 m, aligned"
    assert data["states"][0]["spans"][2] == [1.0, 1.5, "lost"]
    truth, estimate = data["plans"][0]["lines"]
    assert truth["truth"]
    assert truth["points"][1][-1] == pytest.approx(3.9, abs=0.01), "forward, in the frame of the first camera"
    assert estimate["points"][1][-1] == pytest.approx(3.9, abs=0.1)


def test_long_runs_are_thinned(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "long", frames=3 * MAX_POINTS, truth=False)
    data = page_data([RunFolder.read(folder)])
    line = data["charts"][0]["series"][0]
    assert len(line["t"]) == len(line["y"]) == MAX_POINTS
    assert line["t"][-1] == pytest.approx(0.1 * (3 * MAX_POINTS - 1), rel=1e-3)


def test_without_truth_and_scale(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "alone", truth=False, scale_known=False)
    data = page_data([RunFolder.read(folder)])
    assert "position error" not in {chart["title"] for chart in data["charts"]}
    assert data["plans"][0]["x"] == "right [units]"


def test_comparison(run: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "second", mode="mono", scale_known=False)
    assert main(["compare", str(run), str(other), "--output", str(tmp_path / "both.html")]) == 0
    page = (tmp_path / "both.html").read_text()
    assert text_of(page).count("first") >= 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1))  # type: ignore[union-attr]
    assert [line["name"] for line in data["plans"][0]["lines"]] == ["ground truth", "first", "second"]
    assert all(len(chart["series"]) == 2 for chart in data["charts"])


def test_user_errors(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "is not a folder of a run" in capsys.readouterr().err
    assert main(["compare", str(run)]) == 2
    assert "1 runs are given: a comparison needs 2 to 8" in capsys.readouterr().err
    (run / TRAJECTORY_FILE).write_text("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 0 1\n")
    with pytest.raises(RunLogError, match="2 poses for the 40 frames"):
        RunFolder.read(run)


EDITED: dict[str, tuple[str, object]] = {
    "states": ("summary", 3.0),
    "lost": ("summary", {"too few matches": "x"}),
    "remarks": ("summary", []),
    "input_warnings": ("summary", {"lens": {}}),
    "skipped": ("summary", 7),
    "notes": ("summary", [None]),
    "median_matches": ("summary", "100"),
    "median_milliseconds": ("summary", {"frame": float("inf")}),
    "config": ("summary", "deep"),
    "errors": ("summary", {"scaled": False, "ate_m": 0.1}),
    "focal_length_sigma": ("summary", "x"),
    "worst_frames": ("summary", [{"index": 1, "inlier_ratio": 0.5, "file": "../trajectory.tum"}]),
    "speed": ("frame 2", 10**400),
    "matches": ("frame 2", 1e308),
    "position_sigma": ("frame 2", "\0"),
    "milliseconds": ("frame 2", None),
}


@pytest.mark.parametrize("field", EDITED)
def test_edited_field(run: Path, capsys: pytest.CaptureFixture[str], field: str) -> None:
    """A field that is not what it should be is named; one that is missing is none, as in earlier versions."""
    place, value = EDITED[field]
    content = json.loads((run / REPORT_FILE).read_text())
    fields = content["summary"] if place == "summary" else content["frames"][2]
    fields[field] = value
    (run / REPORT_FILE).write_text(json.dumps(content))
    assert main(["report", str(run)]) == 2
    said = capsys.readouterr().err
    assert f"run.json cannot be used: {field} of {place} is " in said
    assert said.count("\n") == 1
    del fields[field]
    (run / REPORT_FILE).write_text(json.dumps(content))
    assert main(["report", str(run)]) == 0


def test_edited_structure(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((run / REPORT_FILE).read_text())
    deep = json.loads("[" * 300 + "]" * 300)
    edits = {
        "frames is 'None': it must be a list": {"frames": None},
        "frame 0 is '3': it must be an object": {"frames": [3]},
        "summary is list: it must be an object": {"summary": []},
        "summary is nested too deeply": {"summary": {"device": deep}},
    }
    for reason, edit in edits.items():
        (run / REPORT_FILE).write_text(json.dumps({**content, **edit}))
        assert main(["report", str(run)]) == 2
        assert reason in capsys.readouterr().err


def test_text_that_no_file_can_hold(run: Path) -> None:
    content = json.loads((run / REPORT_FILE).read_text())
    content["summary"]["device"] = "half of a pair \ud800"
    content["frames"][3]["speed"] = float("nan")
    (run / REPORT_FILE).write_text(json.dumps(content))
    assert main(["report", str(run)]) == 0
    assert "half of a pair ?" in (run / "report.html").read_text()


@pytest.mark.skipif(BROWSER is None, reason="Chromium is needed")
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_in_a_browser(run: Path, tmp_path: Path, width: int) -> None:
    main(["compare", str(run), str(write_run(tmp_path / "second")), "--output", str(tmp_path / "both.html")])
    probed = tmp_path / "probed.html"
    probed.write_text((tmp_path / "both.html").read_text().replace("<head>", f"<head>{PROBE}", 1))
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=20000",
        f"--window-size={width},900",
    ]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    shown = subprocess.run(
        [str(BROWSER), *options, profile, "--dump-dom", probed.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    probe = json.loads(unescape(re.search(r'data-probe="([^"]*)"', shown).group(1)))  # type: ignore[union-attr]
    assert probe["faults"] == []
    assert probe["wider"] <= 0
    charts = re.search(r'<div id="charts".*?</main>', shown, re.DOTALL).group(0)  # type: ignore[union-attr]
    assert charts.count('class="curve"') >= 12, "two runs in each chart"
    assert 'class="curve truth"' in shown
    assert "NaN" not in shown
