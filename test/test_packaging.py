import ast
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

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
# No rosdep key; rosbags is only imported where cv_bridge does not run.
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


def imports(file: Path) -> set[str]:
    """The packages that a file imports anywhere, in functions and for type checkers too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return {name.partition(".")[0] for name in names}
