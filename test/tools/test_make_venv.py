import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def make_venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the script for a checkout in tmp_path, with the two slow steps replaced by notes of what they did."""
    spec = importlib.util.spec_from_file_location("make_venv", ROOT / "tools" / "make_venv.py")
    assert spec is not None
    assert spec.loader is not None
    monkeypatch.syspath_prepend(ROOT / "tools")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.ROOT, script.VENV = tmp_path, tmp_path / ".venv"
    script.STAMP, script.LOG = script.VENV / script.STAMP.name, script.VENV / script.LOG.name
    script.VENV.mkdir()
    (tmp_path / "tools").mkdir()
    for name in script.INPUTS:
        (tmp_path / name).write_text(name)
    script.done = []
    script.create = lambda clear, system_packages: script.done.append(f"create {clear=} {system_packages=}")
    script.install_in_full, script.remove_in_full = script.install, script.remove_ros_wheels
    script.remove_ros_wheels = lambda: script.done.append("remove the wheels of ROS")
    script.install = lambda wheels: script.done.append(f"install {wheels}")
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    monkeypatch.setattr(sys, "argv", ["make_venv"])
    return script


def steps(make_venv: ModuleType) -> list[str]:
    make_venv.done.clear()
    make_venv.main()
    return list(make_venv.done)


def test_second_call_does_nothing(make_venv: ModuleType) -> None:
    assert steps(make_venv) == ["create clear=False system_packages=False", "install kilted"]
    assert steps(make_venv) == []


def test_changed_requirements_are_installed_over_the_old_ones(make_venv: ModuleType, tmp_path: Path) -> None:
    steps(make_venv)
    (tmp_path / "constraints.txt").write_text("numpy==9\n")
    assert steps(make_venv) == ["create clear=False system_packages=False", "install kilted"]
    assert steps(make_venv) == []


def test_other_wheels_replace_those_of_ros_alone(make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    steps(make_venv)
    monkeypatch.setattr(sys, "argv", ["make_venv", "--ros", "jazzy"])
    assert steps(make_venv) == ["remove the wheels of ROS", "install jazzy"]
    assert steps(make_venv) == []


@pytest.mark.parametrize("next_one", ["kilted", "jazzy"])
def test_an_interrupted_exchange_starts_anew(
    make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch, next_one: str
) -> None:
    steps(make_venv)
    monkeypatch.setattr(sys, "argv", ["make_venv", "--ros", "jazzy"])
    with monkeypatch.context() as interrupted:
        interrupted.setattr(make_venv, "install", lambda wheels: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make_venv.main()
    monkeypatch.setattr(sys, "argv", ["make_venv", "--ros", next_one])
    assert steps(make_venv) == ["remove the wheels of ROS", f"install {next_one}"]


def test_another_interpreter_needs_a_new_environment(make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    steps(make_venv)
    monkeypatch.setattr(sys, "argv", ["make_venv", "--ros", "jazzy"])
    monkeypatch.setattr(sys, "base_prefix", "/opt/python")
    assert steps(make_venv) == ["create clear=True system_packages=False", "install jazzy"]


def test_wheels_of_ros_are_removed_and_nothing_else(make_venv: ModuleType, tmp_path: Path) -> None:
    make_venv.PYTHON = tmp_path / "python"
    make_venv.PYTHON.write_text("#!/bin/sh\necho ros-rclpy Ros_std_msgs rosbags torch loftr_ros\n")
    make_venv.PYTHON.chmod(0o755)
    commands: list[list[str]] = []
    make_venv.run = lambda label, command, log: commands.append(command)
    make_venv.remove_in_full()
    assert [command[4:] for command in commands] == [["--yes", "Ros_std_msgs", "ros-rclpy"]]


def test_sourced_ros_is_used_instead_of_wheels(make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    steps(make_venv)
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/opt/ros/kilted")
    assert steps(make_venv) == ["create clear=True system_packages=True", "install None"]


def test_interrupted_install_is_taken_up_again(make_venv: ModuleType) -> None:
    def interrupt(wheels: str) -> None:
        raise KeyboardInterrupt

    install, make_venv.install = make_venv.install, interrupt
    with pytest.raises(KeyboardInterrupt):
        make_venv.main()
    make_venv.install = install
    assert steps(make_venv)[-1] == "install kilted"


def test_missing_venv_module_is_one_sentence(
    make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="2"):
        make_venv.main()
    assert "apt install python3-venv" in capsys.readouterr().err
    assert make_venv.done == []


def test_old_python_is_one_sentence(
    make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make_venv, "MINIMUM", (99, 0))
    with pytest.raises(SystemExit, match="2"):
        make_venv.main()
    assert "or newer is needed" in capsys.readouterr().err


def test_pins_beside_a_sourced_ros_leave_its_numpy_alone(
    make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = subprocess.CompletedProcess([], 0, stdout="1\n")
    monkeypatch.setattr(make_venv.subprocess, "run", lambda *_, **__: answer)
    pins = make_venv.pins_beside_ros()
    assert pins[0] == "numpy<2"
    assert any(pin.startswith("torch==") for pin in pins)
    assert not any(pin.startswith(("numpy==", "scipy==", "opencv")) for pin in pins)


@pytest.mark.parametrize(("wheels", "older"), [("kilted", 0), ("jazzy", 1)])
def test_jazzy_has_the_oldest_that_is_supported(make_venv: ModuleType, wheels: str, older: int) -> None:
    make_venv.WHEELS = {"kilted": (), "jazzy": make_venv.OLDEST}
    commands: list[list[str]] = []
    make_venv.run = lambda label, command, log: commands.append(command)
    make_venv.install_in_full(wheels)
    assert len(commands) == 1 + older
    assert ("numpy==1.26.4" in commands[-1]) == ("--no-deps" in commands[-1]) == bool(older)


def test_output_of_a_failing_pip_is_in_a_file_that_is_named(
    make_venv: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_venv.PYTHON = tmp_path / "python"
    make_venv.PYTHON.write_text("#!/bin/sh\nseq 600\necho no matching distribution >&2\nexit 1\n")
    make_venv.PYTHON.chmod(0o755)
    with pytest.raises(SystemExit, match="2"):
        make_venv.install_in_full("kilted")
    log = tmp_path / ".venv" / "pip.log"
    assert log.read_text().splitlines()[:600] == [str(n) for n in range(1, 601)]
    shown = capsys.readouterr().out
    assert str(log) in shown
    assert "no matching distribution" in shown
    assert len(shown.splitlines()) < 30
