"""The logic of `vo.launch.py`, from its arguments to the processes to start. Imports no ROS, for tests without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from loftr_ros import plain_yaml
from loftr_ros.errors import LoftrRosError, shortened
from loftr_ros.parameters import ParameterSpec
from loftr_ros.ros.parameters.table import PARAMETERS, VoParameters, check_frames, validated
from loftr_ros.validation import require

# Relative, so that PushRosNamespace of an including launch file is prepended.
NAMESPACE = "loftr"
_TOPICS = ("image_topic", "left_image_topic", "right_image_topic", "depth_image_topic")
_SAME_BUT_A_LETTER = 0.9  # similarity of two names by difflib
_TEMPLATE_NAMESPACE = "/loftr"  # of the topics in vo.rviz
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class LaunchArgumentError(LoftrRosError):
    """An invalid launch argument; the message names it."""


class ParametersFileError(LaunchArgumentError):
    """A file of parameters that cannot be read, or holds none."""


@dataclass(frozen=True)
class Argument:
    """One argument of the launch file.

    Attributes:
        name: as on the command line.
        default: the default that `--show-args` shows.
        description: one line.
    """

    name: str
    default: str
    description: str


_OTHERS = (
    Argument(
        "params_file",
        "",
        "File of parameters (an edited copy of config/vo.yaml) instead of the defaults shown; arguments override it",
    ),
    Argument(
        "namespace", NAMESPACE, "Namespace of the node and its topics, relative to that of an including launch file"
    ),
    Argument("rviz", "false", "true shows odometry, path, points and matches in rviz2"),
    Argument("bag", "", "Recording to play (ros2 bag play) with its clock, which sets use_sim_time"),
    Argument("use_sim_time", "false", "true uses the time of /clock; passed to the node only if it is given"),
)


def _argument(spec: ParameterSpec) -> Argument:
    if spec.name in _TOPICS:
        return Argument(spec.name, "", spec.help)  # empty: camera discovery
    return Argument(
        spec.name, str(spec.default).lower() if isinstance(spec.default, bool) else str(spec.default), spec.help
    )


# All parameters, because `ros2 launch` ignores an argument that is not declared; those for experts at the end.
ARGUMENTS = (*_OTHERS, *map(_argument, sorted(PARAMETERS, key=lambda spec: spec.audience == "expert")))


@dataclass(frozen=True)
class Plan:
    """The processes to start.

    Attributes:
        namespace: of the node; relative to including launch files unless it starts with a slash.
        params_file: for the node; None for its defaults.
        parameters: for the node, overriding the file: only those that were given.
        time: the parameter use_sim_time for every node, if it was given.
        bag: recording to play, if any.
        rviz: whether to start rviz.
        odom_frame, base_frame: of the node.
    """

    namespace: str
    params_file: Path | None
    parameters: dict[str, bool | int | float | str]
    time: dict[str, bool]
    bag: str | None
    rviz: bool
    odom_frame: str
    base_frame: str


def plan(given: Mapping[str, str], around: Mapping[str, str]) -> Plan:
    """Validate the arguments and return the plan.

    Args:
        given: the launch arguments that are not empty.
        around: parameters set by including launch files, from `parameters_around`.

    Raises:
        LaunchArgumentError: an argument is invalid, or a file is missing.
        ParameterError: a parameter is of another type, or outside its range.
    """
    bag = given.get("bag")
    if bag and not Path(bag).exists():
        raise LaunchArgumentError(f"bag {bag} does not exist")
    sim_time = given.get("use_sim_time") or ("true" if bag else "")
    known = {**around, **given}
    in_file = _in_file(Path(known["params_file"])) if "params_file" in known else {}
    odom_frame, base_frame = (
        str(known.get(name) or in_file.get(name) or getattr(VoParameters(), name))
        for name in ("odom_frame", "base_frame")
    )
    check_frames(odom_frame, base_frame)
    return Plan(
        namespace=given.get("namespace", NAMESPACE),
        params_file=Path(given["params_file"]) if "params_file" in given else None,
        parameters=topics_to_find(known) | typed(given),
        time={"use_sim_time": boolean("use_sim_time", sim_time)} if sim_time else {},
        bag=bag,
        rviz=boolean("rviz", given.get("rviz", "false")),
        odom_frame=odom_frame,
        base_frame=base_frame,
    )


def misspelled(names: Iterable[str]) -> dict[str, str]:
    """Return the arguments that were meant by misspelled names, which `ros2 launch` ignores.

    Args:
        names: of all launch configurations. Those of including launch files, such as ros_namespace, may resemble an
            argument: only one wrong letter or swapped letters are a mistake.
    """
    known = [argument.name for argument in ARGUMENTS]
    unknown = [name for name in names if name not in known]
    meant = {name: [one for one in known if sorted(one) == sorted(name)] for name in unknown}
    close = {name: meant[name] or get_close_matches(name, known, n=1, cutoff=_SAME_BUT_A_LETTER) for name in unknown}
    return {name: found[0] for name, found in close.items() if found}


def parameters_around(global_params: Iterable[tuple[str, Any] | str]) -> dict[str, str]:
    """Return the parameters that SetParameter and SetParametersFromFile of including launch files set.

    Args:
        global_params: names with values, and paths of files, as in launch_ros; the last file is `params_file`.
    """
    pairs = (("params_file", item) if isinstance(item, str) else item for item in global_params)
    return {name: str(value) for name, value in pairs}


def topics_to_find(given: Mapping[str, str]) -> dict[str, bool | int | float | str]:
    """Return empty image topics, for camera discovery, unless a topic or a file of parameters is given."""
    return {} if any(name in given for name in (*_TOPICS, "params_file")) else dict.fromkeys(_TOPICS, "")


def typed(given: Mapping[str, str]) -> dict[str, bool | int | float | str]:
    """Convert the arguments that are parameters of the node to their types.

    Raises:
        LaunchArgumentError: a switch is neither true nor false.
        ParameterError: a value is of another type, or outside its range.
    """
    values = {spec.name: _read(spec, given[spec.name]) for spec in PARAMETERS if spec.name in given}
    validated(values)
    return values


def _read(spec: ParameterSpec, text: str) -> Any:
    """Convert a text to the type of the parameter; one of another type is returned unchanged, for the validation."""
    kind = type(spec.default)
    if kind is bool:
        return boolean(spec.name, text)
    try:
        return kind(text)
    except ValueError:
        return text


def boolean(name: str, text: str) -> bool:
    """Parse a switch, ignoring case. Raises LaunchArgumentError."""
    value = _BOOLEANS.get(text.strip().lower())
    require(value is not None, LaunchArgumentError, name, text, "true or false (or yes, no, on, off, 1, 0)")
    return bool(value)


def rviz_config(template: str, namespace: str, odom_frame: str, base_frame: str) -> str:
    """Return the rviz configuration (YAML) for these frames, and for topics in this absolute namespace."""
    config = yaml.safe_load(template)
    manager = config["Visualization Manager"]
    manager["Global Options"]["Fixed Frame"] = odom_frame
    manager["Views"]["Current"]["Target Frame"] = base_frame
    for display in manager["Displays"]:
        if "Topic" in display:
            topic = display["Topic"]["Value"].removeprefix(_TEMPLATE_NAMESPACE)
            display["Topic"]["Value"] = namespace.rstrip("/") + topic
    return yaml.safe_dump(config, sort_keys=False)


def _in_file(params_file: Path) -> dict[str, Any]:
    """Return the parameters of all nodes in a file, merged."""
    try:
        found = _parameters(plain_yaml.load(params_file.read_text(encoding="utf-8"), repeats=True))
    except OSError as error:
        raise ParametersFileError(f"params_file {params_file} cannot be read: {error.strerror}") from error
    except plain_yaml.ERRORS as error:
        reason = shortened(error) or type(error).__name__
        raise ParametersFileError(f"params_file {params_file} is no YAML: {reason}") from error
    if not found:
        raise ParametersFileError(f"params_file {params_file} holds no parameters of a node: see config/vo.yaml")
    return found


def _parameters(nodes: object) -> dict[str, Any]:
    """Return the parameters of all nodes in a tree of namespaces, merged."""
    if not isinstance(nodes, dict):
        return {}
    found = nodes.get("ros__parameters")
    if isinstance(found, dict):
        return found
    return {name: value for node in nodes.values() for name, value in _parameters(node).items()}
