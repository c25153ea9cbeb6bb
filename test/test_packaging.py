import re
import xml.etree.ElementTree as ET
from pathlib import Path

import loftr_ros

ROOT = Path(__file__).resolve().parents[1]


def test_version_is_the_same_for_pip_and_for_colcon() -> None:
    assert ET.parse(ROOT / "package.xml").findtext("version") == loftr_ros.__version__


def test_every_requirement_is_pinned() -> None:
    setup = (ROOT / "setup.py").read_text()
    required = re.findall(r'^    "([\w-]+)>=', setup, re.MULTILINE)
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {"numpy", "torch"} <= set(required)
    assert set(required) - pinned == set()
