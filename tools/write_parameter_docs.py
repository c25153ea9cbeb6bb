"""Writes config/vo.yaml and docs/parameters.md from the table of parameters: python tools/write_parameter_docs.py

Run it after every change of loftr_ros/ros/parameters/table.py; a test compares.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import yaml

from loftr_ros.ros.parameters.spec import ParameterSpec
from loftr_ros.ros.parameters.table import PARAMETERS

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 110

YAML_HEAD = """\
# All parameters of the node with their defaults. Arguments of the launch file win over this file.
# Written from loftr_ros/ros/parameters/table.py by tools/write_parameter_docs.py.
/**:
  ros__parameters:
"""
MARKDOWN_HEAD = """\
# Parameters of the node

Written from `loftr_ros/ros/parameters/table.py` by `tools/write_parameter_docs.py`; do not edit. The same table
declares the parameters, checks every value, makes the arguments of `vo.launch.py` and the comments of `config/vo.yaml`.

A value of another type or outside its range is refused, and so is a name that does not exist, with a sentence that says
why. When a change takes effect:

- **start**: only when the node is started with it.
- **configure**: when the node is configured; a configured or active node refuses it.
- **any time**: `ros2 param set /loftr/vo NAME VALUE`; an active node goes by it from the next frame on.
"""


def vo_yaml() -> str:
    """Return the file of defaults, each with its description."""
    lines = []
    for spec in PARAMETERS:
        if spec.section:
            lines += ["", f"    # --- {spec.section} ---"]
        lines += textwrap.wrap(spec.help, WIDTH, initial_indent="    # ", subsequent_indent="    # ")
        lines.append(f"    {spec.name}: {_yaml_value(spec)}")
    return YAML_HEAD + "\n".join(lines[1:]) + "\n"


def parameters_markdown() -> str:
    """Return the page: one table a section."""
    lines = []
    for spec in PARAMETERS:
        if spec.section:
            lines += ["", f"## {spec.section}", "", "| name | type | default | range | takes effect | |"]
            lines.append("|---|---|---|---|---|---|")
        cells = (f"`{spec.name}`", type(spec.default).__name__, f"`{_yaml_value(spec)}`", spec.constraints)
        lines.append(f"| {' | '.join(cells)} | {_takes_effect(spec)} | {spec.description} |")
    return MARKDOWN_HEAD + "\n".join(lines) + "\n"


def _yaml_value(spec: ParameterSpec) -> str:
    return yaml.safe_dump(spec.default).split("\n")[0]


def _takes_effect(spec: ParameterSpec) -> str:
    if spec.read_only:
        return "start"
    return "any time" if spec.runtime else "configure"


def main() -> None:
    """Write both files."""
    (ROOT / "config" / "vo.yaml").write_text(vo_yaml())
    (ROOT / "docs" / "parameters.md").write_text(parameters_markdown())


if __name__ == "__main__":
    main()
