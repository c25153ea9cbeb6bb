"""Folders of runs with edited results: `report`, `compare` and `evaluate` use them, or refuse them in one sentence."""

from __future__ import annotations

import copy
import io
import json
import random
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import strategies as st

from loftr_ros.cli import main
from loftr_ros.evaluation.plotting import plot_axes

SEEDS = st.integers(0, 2**48)
COMMANDS = ("report", "compare", "evaluate")
FILES = ("run.json", "run.json", "run.json", "trajectory.tum", "groundtruth.tum")
VALUES = (
    float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 1e-320, 10**400, -(10**25), 0, -1, 2**63, 0.5, True, None,
    "", "a", "1", "nan", "x" * 5000, "\ud800", "\0", "../../run.json", "<script>", "$x", [], {}, [[]], [None], [1, 2],
    {"": 1}, {"frame": "x"}, {"file": 3}, [["a", 1]], json.loads("[" * 300 + "]" * 300),
)  # fmt: skip
TOKENS = ("nan", "inf", "1e308", "-1e308", "1e-320", "9" * 400, "x", "", "1,5", "0x1F", "1 2", "#", "\0", "[[[")


@pytest.fixture
def run_folders(tmp_path: Path, run_writer: Callable[..., Path]) -> tuple[Path, Path]:
    """Two runs with everything that a report shows."""
    settings = {
        "errors": {"scaled": False, "poses": 9, "ate_m": 0.1, "ate_percent": 1.0, "path_m": 9.0, "end_m": 0.2,
                   "end_percent": 2.0, "rotation_mean_deg": 0.1},
        "input_warnings": {"depth unit": "it is wrong"}, "remarks": {"depth unit": 3}, "focal_length_sigma": 0.01,
        "calibration_warnings": ["unlikely"], "calibration_guess": "calibration guessed", "skipped": ["bad.png"],
        "notes": ["a note"], "versions": {"numpy": "2"}, "identity": {"mode": "stereo"},
        "worst_frames": [{"index": 3, "inlier_ratio": 0.25, "file": "frame_000003.jpg"}],
    }  # fmt: skip
    folders = run_writer(tmp_path / "first", frames=20, **settings), run_writer(tmp_path / "second", frames=20)
    pictures = folders[0] / "worst_frames"
    pictures.mkdir()
    (pictures / "frame_000003.jpg").write_bytes(b"\xff\xd8 no real picture \xff\xd9")
    return folders


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield all containers of a tree with a key of each of their values."""
    for key in tree if isinstance(tree, dict) else range(len(tree) if isinstance(tree, list) else 0):
        yield tree, key
        yield from places(tree[key])


def edited_json(text: str, rng: random.Random) -> str:
    """Change some values of a JSON file, most often of its summary, or remove them."""
    content = {"": json.loads(text)}
    for _ in range(rng.choice((1, 1, 2, 5))):
        root = rng.choice((content, content[""].get("summary") if isinstance(content[""], dict) else None, content))
        container, key = rng.choice(list(places(root)) or [(content, "")])
        if rng.random() < 0.15:
            del container[key]
            content.setdefault("", {})
        else:
            container[key] = copy.deepcopy(rng.choice(VALUES))
    return json.dumps(content[""])


def edited_rows(text: str, rng: random.Random) -> str:
    """Change some numbers of a trajectory."""
    rows = [line.split(" ") for line in text.splitlines()]
    for _ in range(rng.choice((1, 1, 3))):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(TOKENS)
    return "".join(" ".join(row) + "\n" for row in rows)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("command", COMMANDS)
def test_edited_runs(
    fuzz: Callable[..., None],
    damaged_files: ModuleType,
    run_folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    folder, other = run_folders
    contents = {name: (folder / name).read_bytes() for name in FILES}
    page = str(tmp_path / "page.html")
    arguments = {
        "report": [str(folder), "--output", page],
        "compare": [str(folder), str(other), "--output", page],
        "evaluate": [str(folder), "--output", str(tmp_path / "out")],
    }[command]

    def check(seed: int) -> None:
        rng = random.Random(seed)
        name = rng.choice(FILES)
        edit = edited_json if name == "run.json" else edited_rows
        if rng.random() < 0.8:
            content = edit(contents[name].decode(), rng).encode("utf-8", "surrogatepass")
        else:
            content = damaged_files.damaged(contents[name], rng)
        (folder / name).write_bytes(content)
        plot = plot_axes if rng.random() < 0.03 else lambda *_: None  # one takes half a second
        monkeypatch.setattr("loftr_ros.evaluation.report.plot_axes", plot)
        said, errors = io.StringIO(), io.StringIO()
        try:
            with redirect_stdout(said), redirect_stderr(errors):
                code = main([command, *arguments])
        finally:
            (folder / name).write_bytes(contents[name])
        lines = [line for line in errors.getvalue().split("\n")[:-1] if "loftr-ros: warning: " not in line]
        assert (code, len(lines)) in ((0, 0), (2, 1)), errors.getvalue()
        assert all(line.startswith("loftr-ros: error: ") and line.isprintable() and len(line) < 1200 for line in lines)

    assert main([command, *arguments]) == 0
    fuzz(check, SEEDS, quick=60)
