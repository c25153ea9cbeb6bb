"""Results that cannot be written where they should go: a sentence names the place, and nothing else happens."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from loftr_ros.download import place
from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.plotting import plot_trajectory
from loftr_ros.evaluation.report import Evaluation, write_evaluation
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.matches import Matches
from loftr_ros.output import OutputError, inside, make_folder, make_new_folder, writing
from loftr_ros.reports.match_report import write_matches, write_picture
from loftr_ros.ros.replay.reports import PlayReport, write_report

GRAY = np.zeros((64, 64), np.uint8)
MATCHES = Matches(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32), np.ones(2, np.float32), np.arange(2))
FIGURES: dict[str, Any] = {"matches": 2, "median_confidence": 1.0, "milliseconds": {"match": 1.0}}


def trajectory() -> Trajectory:
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, 0, 3] = np.arange(5)
    return Trajectory(10**8 * np.arange(5), poses)


def write_figures(path: Path) -> None:
    figures = Evaluation.of(trajectory(), trajectory(), "none", 1.0, 1, "frames")
    write_evaluation(path.with_suffix(""), figures, {"run": "test"}, trajectory(), trajectory())


WRITERS: dict[str, Callable[[Path], object]] = {
    "evaluation.json": write_figures,
    "evaluation.png": write_figures,
    "trajectory.png": lambda path: plot_trajectory(path, trajectory(), None, "test", metric=True),
    "matches.png": lambda path: write_picture(path, GRAY, GRAY, MATCHES, np.ones(2, bool), FIGURES),
    "matches.csv": lambda path: write_matches(path, MATCHES, np.ones(2, bool)),
    "matches.npz": lambda path: write_matches(path, MATCHES, np.ones(2, bool)),
    "played.json": lambda path: write_report(path, PlayReport([1], [2], [])),
    "copy.safetensors": lambda path: place(Path(__file__), path, lambda file: None),
}


def folder_in_the_way(path: Path) -> None:
    path.mkdir()
    (path / "kept").touch()


def link_to_nowhere(path: Path) -> None:
    path.symlink_to("missing/file")


def full_disk(path: Path) -> None:
    path.symlink_to("/dev/full")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def file_for_a_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


def no_folder(path: Path) -> None:
    path.parent.rmdir()


def nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "spoil", [nothing, folder_in_the_way, link_to_nowhere, full_disk, pipe, file_for_a_folder, no_folder]
)
def test_place(name: str, spoil: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "results" / name
    path.parent.mkdir()
    spoil(path)
    replaces = name == "copy.safetensors" and spoil in (
        link_to_nowhere,
        full_disk,
        pipe,
    )  # the link, not what it points to
    if spoil is nothing or replaces:
        WRITERS[name](path)
        assert path.stat().st_size > 0
        return
    with pytest.raises(LoftrRosError) as error:
        WRITERS[name](path)
    assert path.stem in str(error.value)
    assert "None" not in str(error.value)
    assert str(error.value).isprintable()


def test_name_that_is_no_text(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        path = tmp_path / f"\udcff {name}"
        write(path)
        assert path.stat().st_size > 0


def test_folder_with_the_name_of_a_note(tmp_path: Path) -> None:
    folder_in_the_way(tmp_path / "copy.part.json")
    place(Path(__file__), tmp_path / "copy.safetensors", lambda file: None)
    assert (tmp_path / "copy.safetensors").read_bytes() == Path(__file__).read_bytes()


@pytest.mark.parametrize("spoil", [folder_in_the_way, pipe])
def test_results_that_have_something_in_their_way(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    """Found before any result is computed."""
    spoil(tmp_path / "run.json")
    with pytest.raises(OutputError, match=r"run.json is a (folder|pipe), but a result of that name is to be written"):
        make_folder(tmp_path, "trajectory.tum", "run.json")


def test_a_pipe_that_is_read_is_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    pipe(path)
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE, text=True) as reader:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(OutputError), writing(path) as part:
                part.write_text("a result")
                break
            time.sleep(0.05)
        assert reader.communicate(timeout=30)[0] == "a result"


@pytest.mark.parametrize("path", ["/proc/nothing", "/dev/null/results", "a" * 300])
def test_folder_that_cannot_be_made(path: str) -> None:
    with pytest.raises(LoftrRosError, match=r"output folder .* cannot be created: \w"):
        make_folder(Path(path))


def test_folder_that_cannot_be_written_to() -> None:
    """Also by root, and found before any result is computed."""
    with pytest.raises(LoftrRosError, match=r"output folder /proc cannot be written to: \w"):
        make_folder(Path("/proc"))


def write_and_fail(path: Path, error: BaseException) -> None:
    with writing(path) as part:
        part.write_text("new")
        raise error


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_writing_that_fails_midway_keeps_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "trajectory.tum"
    with writing(path) as part:
        part.write_text("old")
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match=r"trajectory.tum cannot be written: No space left|^$"):
        write_and_fail(path, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_disk_that_fills_up_midway_keeps_the_old_trajectory(tmp_path: Path) -> None:
    """A limit of the process on the size of files takes the place of the full disk."""
    path = tmp_path / "trajectory.tum"
    path.write_text("old")
    code = (
        "import resource, signal, sys, numpy as np; from pathlib import Path\n"
        "from loftr_ros.evaluation.trajectory import Trajectory, write_tum; from loftr_ros.output import writing\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "trajectory = Trajectory(np.arange(1000), np.tile(np.eye(4), (1000, 1, 1)))\n"
        "with writing(Path(sys.argv[1])) as part: write_tum(part, trajectory)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "trajectory.tum cannot be written: File too large." in result.stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_inside_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder, outside = tmp_path / "out", tmp_path / "outside"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "inner").symlink_to(folder / "other")
    for name in ("a.tum", str(folder / "a.tum"), "b/../a.tum", "~/out/a.tum", "../out/a.tum"):
        assert inside(folder, name, "file") == folder / "a.tum"
    assert inside(folder, "inner/a.tum", "file") == folder / "other" / "a.tum"
    refused = (
        "../a.tum",
        "/etc/a.tum",
        "~/a.tum",
        "~nosuchuser/a.tum",
        "link/a.tum",
        "b/../../a.tum",
        "a\0b",
        "../out2/a",
    )
    for name in refused:
        with pytest.raises(OutputError, match=r"file is '.*': it must be the name of a file in .*out\."):
            inside(folder, name, "file")
    with pytest.raises(OutputError, match="~nosuchuser: there is no such user"):
        inside(Path("~nosuchuser"), "a.tum", "file")


def test_result_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "trajectory.tum"
    link.symlink_to("disk/other.tum")
    with writing(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "disk" / "other.tum").read_text() == "new"


def test_threads_that_write_one_file_take_turns(tmp_path: Path) -> None:
    """Two calls of save_trajectory at once: both are written whole, and the last one stays."""
    path, together = tmp_path / "result.txt", Barrier(3)

    def write(name: str) -> None:
        together.wait()
        with writing(path) as part:
            for _ in range(20):
                with part.open("a") as file:
                    file.write(name)
                time.sleep(0.001)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, "abc"))
    assert path.read_text() in {20 * name for name in "abc"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_folder_belongs_to_one_thread(tmp_path: Path) -> None:
    together = Barrier(4)

    def make(_: int) -> Path:
        together.wait()
        return make_new_folder(tmp_path / "parent", "failure")

    with ThreadPoolExecutor() as pool:
        made = list(pool.map(make, range(4)))
    assert {folder.name for folder in made} == {"failure", "failure_1", "failure_2", "failure_3"}
    assert all(folder.is_dir() for folder in made)
