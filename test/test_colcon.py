"""`colcon build` in a fresh environment: what `ros2 run` and `ros2 launch` look for is there, and the node starts.

Needs an index for pip. Without one the tests are skipped, but under CI they fail.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import venv
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_SOURCE = (".*", "out", "build", "install", "log", "*.egg-info", "__pycache__")
PINS = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
# Of Ubuntu 22.04, of Ubuntu 24.04, and the newest; the first knows no Python after 3.11.
SETUPTOOLS = [
    pytest.param("59.6.0", marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="not for this Python")),
    "68.1.2",
    PINS["setuptools"],
]
COLCON = [f"{name}=={PINS[name]}" for name in ("colcon-core", "colcon-ros")]
# Where rclpy, torch and all else is that the tests run with.
PACKAGES = [path for path in sys.path if path.endswith("-packages")]
LAYOUTS: list[tuple[str, ...]] = [(), ("--symlink-install",)]


@pytest.fixture(scope="module")
def colcon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with colcon, whose setuptools the tests exchange; nothing is installed into it."""
    path = tmp_path_factory.mktemp("colcon") / "venv"
    venv.create(path, with_pip=True)
    python = path / "bin" / "python"
    run_pip(python, "-m", "pip", "install", "--no-compile", *COLCON)
    return python


@pytest.mark.parametrize("setuptools", SETUPTOOLS)
def test_colcon_installs_a_node_that_starts(colcon: Path, setuptools: str, tmp_path: Path) -> None:
    have_setuptools_alone(colcon, setuptools)
    installed = {options: build(colcon, tmp_path / "_".join(["ws", *options]), *options) for options in LAYOUTS}
    show_what_this_environment_has(colcon)
    for prefix in installed.values():
        assert executables(prefix / "lib" / "loftr_ros") == ["check", "loftr-ros", "vo_node"]
        assert (prefix / "share" / "ament_index" / "resource_index" / "packages" / "loftr_ros").exists()
        assert_package_is_found(colcon, prefix)
        assert_node_starts(prefix)
    assert_colcon_test_runs_pytest(colcon, installed[()])


def test_the_venv_of_a_robot_keeps_what_is_installed_and_runs_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if installed by apt and ROS: the script has to leave it alone, PyTorch included.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*PACKAGES, *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("PYTHON", sys.executable)
    folder = tmp_path / "ws" / "venv"
    run_pip(ROOT / "tools" / "robot_venv.sh", folder, *COLCON)
    added = {path.name for path in (folder / "lib").glob("python3*/site-packages/*")}
    assert "colcon_core" in added
    assert added.isdisjoint({"cv2", "numpy", "safetensors", "torch"})
    prefix = build(folder / "bin" / "python", tmp_path / "ws")
    for script in (prefix / "lib" / "loftr_ros").iterdir():
        assert script.read_text().splitlines()[0] == f"#!{folder}/bin/python"
    assert_node_starts(prefix)


def have_setuptools_alone(python: Path, version: str) -> None:
    """Leave the environment with colcon and this setuptools, as if it were fresh."""
    extra_packages(python).unlink(missing_ok=True)
    # Apart from colcon, which asks for setuptools < 80: a distribution need not heed that.
    run_pip(python, "-m", "pip", "install", "--no-compile", "--no-deps", f"setuptools=={version}")


def run_pip(*command: str | Path) -> None:
    """Run something that needs an index of packages."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        message = f"{' '.join(map(str, command))} failed: {done.stderr[-500:]}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


def build(python: Path, workspace: Path, *options: str) -> Path:
    """Build a copy of this tree; returns the prefix that it is installed to."""
    shutil.copytree(ROOT, workspace / "src" / "loftr_ros", ignore=shutil.ignore_patterns(*NOT_SOURCE))
    command = [python, "-m", "colcon", "build", *options]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return workspace / "install" / "loftr_ros"


def show_what_this_environment_has(python: Path) -> None:
    """Let the environment import what the tests run with (rclpy, torch), but not its loftr_ros."""
    # A path in a .pth file is searched for modules; .pth files in it, which point to this tree, are not read.
    extra_packages(python).write_text("\n".join(PACKAGES))


def extra_packages(python: Path) -> Path:
    """File that adds packages to an environment."""
    [site_packages] = (python.parents[1] / "lib").glob("python3*/site-packages")
    return site_packages / "tests.pth"


def executables(folder: Path) -> list[str]:
    """What `ros2 pkg executables` lists."""
    return sorted(path.name for path in folder.iterdir() if os.access(path, os.X_OK))


def sourced(prefix: Path, command: str) -> list[str]:
    return ["sh", "-c", f". {prefix.parent}/setup.sh && exec {command}"]


def assert_package_is_found(python: Path, prefix: Path) -> None:
    code = (
        "import ament_index_python, loftr_ros; print(loftr_ros.__file__);"
        "print(ament_index_python.get_package_share_directory('loftr_ros'))"
    )
    command = sourced(prefix, f'{python} -c "{code}"')
    # Not in the root of the tree, where Python would find the source.
    done = subprocess.run(command, cwd=prefix, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    module, share = done.stdout.splitlines()
    assert Path(module).is_relative_to(prefix.parents[1])
    assert Path(share) == prefix / "share" / "loftr_ros"
    for name in ("launch/vo.launch.py", "config/vo.yaml", "package.xml"):
        assert (Path(share) / name).is_file(), name


def assert_node_starts(prefix: Path) -> None:
    """The installed script comes up with the network that was installed, and ends by Ctrl-C."""
    environment = os.environ | {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_DOMAIN_ID": str(1 + os.getpid() % 100),
        "PYTHONUNBUFFERED": "1",
    }
    arguments = "--ros-args -p image_topic:=/camera/image"
    with subprocess.Popen(
        sourced(prefix, f"{prefix}/lib/loftr_ros/vo_node {arguments}"),
        cwd=prefix,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as node:
        patience = threading.Timer(90, node.kill)
        patience.start()
        try:
            assert node.stdout is not None
            said = ""
            while "active: checkpoint compact on cpu, waiting for mono images" not in said:
                line = node.stdout.readline()
                assert line, f"the node ended: {said}"
                said += line
            node.send_signal(signal.SIGINT)
            assert node.wait(timeout=30) == 0
        finally:
            patience.cancel()
            node.kill()


def assert_colcon_test_runs_pytest(python: Path, prefix: Path) -> None:
    """With `unittest`, which colcon falls back to, no test would be found."""
    workspace = prefix.parents[1]
    one = "test/test_packaging.py::test_version_is_the_same_for_pip_and_for_colcon"
    command = [python, "-m", "colcon", "test", "--return-code-on-test-failure", "--pytest-args", one]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    suite = ET.parse(workspace / "build" / "loftr_ros" / "pytest.xml").find("testsuite")
    assert suite is not None
    assert int(suite.attrib["tests"]) == 1
    assert int(suite.attrib["failures"]) == int(suite.attrib["errors"]) == 0
