"""`make` prints one line a step; the output of a step only if it fails."""

import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEP = ROOT / "tools" / "step.py"
SAY_MUCH = "#!/bin/sh\nseq 300\n"
LINTERS = ("ruff check", "ruff format --check", "mypy", "mypy bench", "mypy examples")


def step(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, STEP, "label", *command], capture_output=True, text=True, check=False)


def test_a_step_is_one_line() -> None:
    done = step("seq", "300")
    assert done.returncode == 0
    assert re.fullmatch(r"label \.\.\. ok \(\d+\.\d s\)\n", done.stdout)


def test_a_step_that_fails_shows_all_that_it_said() -> None:
    done = step("sh", "-c", "seq 300; echo wrong >&2; exit 3")
    assert done.returncode == 3
    first, *rest = done.stdout.splitlines()
    assert re.fullmatch(r"label \.\.\. failed \(\d+\.\d s\)", first)
    assert rest == [*map(str, range(1, 301)), "wrong"]


def test_a_terminal_gets_a_spinner_that_leaves_one_line() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, STEP, "label", "sleep", "0.5"], stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        while part := read(ours):
            shown += part
    os.close(ours)
    assert process.returncode == 0
    pictures = shown.decode().split("\r\x1b[K")
    assert len(pictures) > 3
    assert all("\n" not in picture for picture in pictures[:-1])
    assert re.fullmatch(r"label \.\.\. ok \(\d+\.\d s\)\r\n", pictures[-1])


def read(terminal: int) -> bytes:
    """Read available bytes; none at the end, which Linux reports as an error."""
    try:
        return os.read(terminal, 1024)
    except OSError:
        return b""


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run make in a copy of the Makefile, where the linters are scripts that say much."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "tools").mkdir()
    shutil.copy(STEP, tmp_path / "tools")
    (tmp_path / "tools" / "make_venv.py").touch()
    (tmp_path / "bin").mkdir()
    for name in ("ruff", "mypy"):
        (tmp_path / "bin" / name).write_text(SAY_MUCH)
        (tmp_path / "bin" / name).chmod(0o755)

    def run(target: str) -> "subprocess.CompletedProcess[str]":
        command = ["make", "--no-print-directory", target, f"PYTHON={sys.executable}", "BIN=bin"]
        # Not as part of the make that may run the tests.
        alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        return subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)

    return run


def test_make_prints_one_line_a_linter(make: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    done = make("lint")
    assert done.returncode == 0, done.stderr
    assert [line.split(" ... ")[0] for line in done.stdout.splitlines()] == [*LINTERS]


def test_make_stops_at_the_linter_that_fails(
    make: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    with (tmp_path / "bin" / "mypy").open("a") as script:
        script.write("exit 1\n")
    done = make("lint")
    assert done.returncode != 0
    lines = done.stdout.splitlines()
    assert [line.split(" ... ")[0] for line in lines if " ... " in line] == [*LINTERS[:3]]
    assert lines[-300:] == [*map(str, range(1, 301))]
