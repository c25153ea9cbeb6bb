"""Writes config/vo.yaml and docs/parameters.md from the table of parameters: python tools/write_parameter_docs.py

Run it after every change of loftr_ros/ros/parameters/table.py or loftr_ros/odometry/config.py; a test compares.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import yaml

from loftr_ros.odometry.config import SPECS
from loftr_ros.parameters import ParameterSpec
from loftr_ros.ros.parameters.table import PARAMETERS

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 110

YAML_HEAD = """\
# All parameters of the node with their defaults. Arguments of the launch file win over this file.
# [tuning]: change it to tune a platform. [expert]: thresholds of the estimator. All others are for everyone.
# Written from loftr_ros/ros/parameters/table.py by tools/write_parameter_docs.py.
/**:
  ros__parameters:
"""
MARKDOWN_HEAD = """\
# Parameters

Written from `loftr_ros/ros/parameters/table.py` and `loftr_ros/odometry/config.py` by `tools/write_parameter_docs.py`;
do not edit. The same table declares the parameters of the node, validates every value, and makes the arguments of
`vo.launch.py` and the comments of `config/vo.yaml`.

A value of another type or outside its range is refused, and so is an unknown name, with a message that says why.

**Who** should change a parameter:

- **everyone**: it describes the robot, the cameras and the task. Set these first.
- **tuning**: limits and budgets, to tune a platform on which the odometry already runs. Change one at a time, and
  compare with `loftr-ros evaluate`.
- **expert**: thresholds of the estimator, chosen on the [benchmarks](benchmarks.md). Read [odometry.md](odometry.md)
  first, and measure on your own sequences.

**When** a change takes effect:

- **start**: only when the node is started with it.
- **configure**: when the node is configured; a configured or active node refuses it.
- **any time**: `ros2 param set /loftr/vo NAME VALUE`; an active node applies it from the next frame on.
"""
ODOMETRY = """\
The settings of the odometry have the same names, ranges and defaults everywhere: `max_speed: 3.0` in the file of
parameters of the node, `--max-speed 3.0` of `loftr-ros run`, `OdometryConfig(max_speed=3.0)` in Python. These are
{names}.
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
            lines += ["", f"## {spec.section}", "", "| name | type | default | range | who | when | description |"]
            lines.append("|---|---|---|---|---|---|---|")
        cells = (f"`{spec.name}`", type(spec.default).__name__, f"`{_yaml_value(spec)}`", spec.constraints)
        lines.append(f"| {' | '.join(cells)} | {spec.audience} | {_takes_effect(spec)} | {spec.description} |")
    return "\n".join([MARKDOWN_HEAD, _names_of_the_odometry(), *lines]) + "\n"


def _names_of_the_odometry() -> str:
    names = ", ".join(f"`{spec.name}`" for spec in SPECS)
    return textwrap.fill(ODOMETRY.format(names=names), 120, break_on_hyphens=False)


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
