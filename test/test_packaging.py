import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import loftr_ros

ROOT = Path(__file__).resolve().parents[1]
# Of these packages the name of the module is another; of other ones of Python it follows `python3-`.
MODULES = {
    "python3-opencv": "cv2",
    "python3-pil": "PIL",
    "python3-pytorch-pip": "torch",
    "tf2_ros_py": "tf2_ros",
}
# Programs that the launch file starts or is started by, and what they need.
PROGRAMS = {"ros2bag", "ros2launch", "rosbag2_storage_default_plugins", "rviz2"}
# No rosdep key; rosbags is only imported for bags, and where cv_bridge does not run.
WITHOUT_KEY = {"rosbags", "safetensors"}


def test_version_is_the_same_for_pip_and_for_colcon() -> None:
    assert ET.parse(ROOT / "package.xml").findtext("version") == loftr_ros.__version__


def test_every_requirement_is_pinned() -> None:
    setup = (ROOT / "setup.py").read_text()
    required = re.findall(r'^    "([\w-]+)>=', setup, re.MULTILINE)
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {"numpy", "torch"} <= set(required)
    assert set(required) - pinned == set()


def test_package_xml_names_what_is_imported_and_nothing_else() -> None:
    depends = {str(depend.text) for depend in ET.parse(ROOT / "package.xml").iterfind("exec_depend")}
    assert depends >= PROGRAMS
    modules = {MODULES.get(name, name.removeprefix("python3-")) for name in depends - PROGRAMS}
    files = [*(ROOT / "loftr_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")]
    imported = {module for file in files for module in imports(file)}
    assert imported - sys.stdlib_module_names - WITHOUT_KEY - {"loftr_ros"} == modules


@pytest.mark.parametrize("plugin", ["launch_pytest", "launch_ros", "launch_testing"])
def test_plugins_of_ros_do_not_collect_these_tests(plugin: str, tmp_path: Path) -> None:
    info = tmp_path / "plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[pytest11]\n{plugin} = collects_itself\n")
    (tmp_path / "collects_itself.py").write_text(
        "import pytest\ndef pytest_pycollect_makemodule(): pytest.skip('no test', allow_module_level=True)\n"
    )
    search = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    # PYTEST_ADDOPTS as colcon sets it would name other tests.
    environment = os.environ | {"PYTHONPATH": search, "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "test/test_layers.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def imports(file: Path) -> set[str]:
    """The packages that a file imports anywhere, in functions and for type checkers too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return {name.partition(".")[0] for name in names}
