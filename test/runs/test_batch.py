"""Several runs in processes: how each ends, where its output goes, and signals."""

import importlib
import signal
from pathlib import Path
from types import ModuleType

import pytest

from loftr_ros.cli import main
from loftr_ros.runs.batch import LOG_FILE, Batch, Outcome, Task, tasks_of


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Functions that other processes can import."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "programs"))
    return importlib.import_module("batch_work")


def tasks(folder: Path, *names: str) -> list[Task]:
    return [Task(Path(name), name, folder / name) for name in names]


def test_each_ends_in_its_way_and_none_stops_the_others(tmp_path: Path, work: ModuleType) -> None:
    all_tasks = tasks(tmp_path, "bad", "raises", "crashes", "good")
    outcomes = [outcome for outcome in Batch(all_tasks, 4, work.work).ended() if outcome is not None]
    assert sorted((one.task.name, one.code, one.reason) for one in outcomes) == [
        ("bad", 2, "There is nothing."),
        ("crashes", -9, "killed by SIGKILL"),
        ("good", 0, ""),
        ("raises", 1, "ValueError: of all things"),
    ]
    assert (tmp_path / "good" / LOG_FILE).read_text() == "this is good\n"


def test_signal_is_passed_on_and_results_are_waited_for(tmp_path: Path, work: ModuleType) -> None:
    batch = Batch(tasks(tmp_path, "one", "two"), 1, work.waits)
    for _ in batch.ended():
        if batch.running[0].counter.state == (1, 1):
            break
    outcomes = batch.stop(signal.SIGTERM)
    assert outcomes == [
        Outcome(Task(Path("one"), "one", tmp_path / "one"), 143, "interrupted"),
        Outcome(Task(Path("two"), "two", tmp_path / "two"), None, "not started"),
    ]
    assert (tmp_path / "one" / "result").exists()


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a/06", "a/07"], ["06", "07"]),
        (["a/x/mav0", "a/y/mav0", "b/z"], ["x_mav0", "y_mav0", "z"]),
        (["drive one.mcap", "drive two.mcap"], ["drive_one.mcap", "drive_two.mcap"]),
    ],
)
def test_names_of_folders_are_those_of_the_sources(tmp_path: Path, sources: list[str], names: list[str]) -> None:
    found = tasks_of([Path(source) for source in sources], tmp_path)
    assert [task.name for task in found] == names
    assert [task.folder for task in found] == [tmp_path / name for name in names]


@pytest.mark.slow
def test_program_with_several_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real processes, with sources that end before the network is loaded."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["run", "empty", "missing.mcap", "--jobs", "2", "--no-progress"]) == 1
    said = capsys.readouterr()
    rows = said.out.splitlines()[1:3]
    assert [row.split()[0] for row in rows] == ["empty", "missing.mcap"]
    assert "no result: empty is no sequence" in rows[0]
    assert "no result: missing.mcap is no folder" in rows[1]
    assert "error: empty is no sequence" in Path("loftr_runs/latest/empty/run.log").read_text()
