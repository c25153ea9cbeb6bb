"""`loftr-ros run` with several sources: one table, one folder each."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loftr_ros.cli import main
from loftr_ros.runs.batch import Counter, Outcome, Task

pytestmark = pytest.mark.usefixtures("matcher", "in_this_process", "without_plots")


class BatchHere:
    """Stands in for `Batch`, without processes: the matcher of the tests is in this one."""

    running = ()

    def __init__(self, tasks: list[Task], jobs: int, work: Callable[[Task, Counter], int]) -> None:
        self._tasks, self._work = tasks, work

    def ended(self) -> Iterator[Outcome | None]:
        for task in self._tasks:
            task.folder.mkdir(parents=True, exist_ok=True)
            code = self._work(task, Counter())
            yield Outcome(task, code, "as the log says" if code else "")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loftr_ros.runs.batch.Batch", BatchHere)


def run(*arguments: object) -> int:
    return main(["run", *map(str, arguments), "--no-progress"])


def summary_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return content["summary"]


def test_one_bad_source_is_named_and_does_not_stop_the_others(
    sideways: Path, sideways_rgbd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    sources = (sideways, tmp_path / "nothing", sideways_rgbd)
    assert run(*sources, "--output", output, "--stride", 2) == 1
    said = capsys.readouterr()
    head, good, bad, other, results = said.out.splitlines()[-5:]
    assert head.split() == ["source", "mode", "frames", "tracked", "ATE", "RPE", "rate"]
    assert re.fullmatch(r"00 +stereo +3 +67 % +0\.\d+ m, 0\.\d+ % +0\.\d+ m, 0\.\d+° +[\d.]+ Hz", good)
    assert other.split()[:3] == ["rgbd", "rgbd", "3"]
    assert bad.split()[:2] == ["nothing", "-"]
    assert bad.endswith("no result: as the log says")
    assert str(output) in results
    assert "nothing is no folder" in said.err
    assert [summary_of(output / name)["frames"] for name in ("00", "rgbd")] == [3, 3]
    assert main(["report", str(output)]) == 2
    assert "not a folder of a run, but of several: give 00, rgbd, or loftr-ros compare" in capsys.readouterr().err
    assert main(["compare", str(output), "--output", str(tmp_path / "page.html")]) == 0
    assert "rgbd" in (tmp_path / "page.html").read_text()


def test_resume_skips_what_is_finished(
    sideways: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    second = tmp_path / "second" / "01"
    shutil.copytree(sideways, second)
    assert run(sideways, second, "--stride", 3) == 0
    (folder,) = (path for path in Path("loftr_runs").iterdir() if path.name.startswith("runs_"))
    before = (folder / "00" / "run.json").stat().st_mtime_ns
    (folder / "01" / "run.json").unlink()
    capsys.readouterr()
    assert run(sideways, second, "--stride", 3, "--resume") == 0
    said = capsys.readouterr()
    assert "00 is finished: nothing to resume" in said.err
    assert (folder / "00" / "run.json").stat().st_mtime_ns == before
    assert summary_of(folder / "01")["frames"] == 2
    assert [line.split()[0] for line in said.out.splitlines() if line.endswith("Hz")] == ["00", "01"]


def test_files_for_one_source(sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sideways, sideways, "--bag", tmp_path / "run.mcap") == 2
    assert "--bag is for one source, and 2 are given" in capsys.readouterr().err
