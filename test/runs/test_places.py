"""Folders of runs without --output, and the link to the latest."""

import re
from pathlib import Path

import pytest

from loftr_ros.output import OutputError
from loftr_ros.runs.places import LatestRunError, given_run, new_folder, runs_in


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_new_folder_has_name_and_time_and_latest_leads_there() -> None:
    first, second = new_folder("KITTI 06"), new_folder("KITTI 06")
    assert re.fullmatch(r"loftr_runs/KITTI_06_\d{8}_\d{6}", str(first))
    assert first != second, "in the same second"
    link = Path("loftr_runs/latest")
    assert link.is_symlink()
    assert not Path(link.readlink()).is_absolute(), "the folder may be moved"
    assert link.resolve() == second.resolve()
    assert {path.name for path in Path("loftr_runs").iterdir()} == {first.name, second.name, "latest"}


@pytest.mark.parametrize("name", ["../../etc", "a/b\n$c", "", "...", "x" * 300, "größe"])
def test_any_name_gives_a_folder_below(name: str) -> None:
    folder = new_folder(name)
    assert folder.is_dir()
    assert folder.parent == Path("loftr_runs")


def test_latest_is_the_last_one_unless_there_is_a_folder_of_that_name() -> None:
    with pytest.raises(LatestRunError, match=r"no loftr_runs/latest here: give the folder"):
        given_run(Path("latest"))
    folder = new_folder("drive")
    assert given_run(Path("latest")) == folder
    assert given_run(Path("other")) == Path("other")
    Path("latest").mkdir()
    assert given_run(Path("latest")) == Path("latest")


def test_without_links_a_folder_is_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def impossible(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "symlink_to", impossible)
    assert new_folder("drive").is_dir()
    assert not Path("loftr_runs/latest").exists()


def test_a_folder_named_latest_is_left_alone() -> None:
    Path("loftr_runs/latest").mkdir(parents=True)
    folder = new_folder("drive")
    assert {path.name for path in Path("loftr_runs").iterdir()} == {folder.name, "latest"}


def test_a_file_in_place_of_the_folder_is_told() -> None:
    Path("loftr_runs").touch()
    with pytest.raises(OutputError, match="--output DIR"):
        new_folder("drive")


def test_runs_of_several_sources() -> None:
    for name in ("b", "a", "not_a_run"):
        (Path("all") / name).mkdir(parents=True)
    for name in ("b", "a"):
        (Path("all") / name / "run.json").touch()
    assert runs_in(Path("all")) == [Path("all/a"), Path("all/b")]
    assert runs_in(Path("all/a")) == []
