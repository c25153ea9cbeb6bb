"""What `vo.launch.py` works out from its arguments. Imports no ROS, so that it can be tested without."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from loftr_ros.errors import LoftrRosError
from loftr_ros.ros.parameters import PARAMETERS, VoParameters, validated

_TOPICS = ("image_topic", "left_image_topic", "right_image_topic", "depth_image_topic")
_NAMESPACE = "/loftr"  # of the topics in vo.rviz


class ParametersFileError(LoftrRosError):
    """A file of parameters that cannot be read."""


def topics_to_find(given: Mapping[str, str]) -> dict[str, str]:
    """Return the image topics to leave empty for the node to find the camera: all, if nothing given names any.

    Args:
        given: the launch arguments that are not empty.
    """
    return {} if any(name in given for name in (*_TOPICS, "params_file")) else dict.fromkeys(_TOPICS, "")


def typed(given: Mapping[str, str]) -> dict[str, bool | int | float | str]:
    """Return those arguments that are parameters of the node, as what they have to be.

    Raises:
        ParameterError: a value is of another type, or outside its range.
    """
    values = {spec.name: _read(given[spec.name], type(spec.default)) for spec in PARAMETERS if spec.name in given}
    validated(values)
    return values


def _read(text: str, kind: type) -> Any:
    """Return the value that a text stands for, or the text itself if it stands for none of this type."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return kind(text)
    except ValueError:
        return text


def frame(name: str, given: Mapping[str, str], params_file: Path) -> str:
    """Return the value of `odom_frame` or `base_frame`: that of the argument, of the file, or the default.

    Raises:
        ParametersFileError: the file cannot be read, or holds no parameters.
    """
    return str(given.get(name) or _in_file(params_file).get(name) or getattr(VoParameters(), name))


def rviz_config(template: str, namespace: str, odom_frame: str, base_frame: str) -> str:
    """Return the configuration of rviz (YAML) for these frames, and for topics in this namespace."""
    config = yaml.safe_load(template)
    manager = config["Visualization Manager"]
    manager["Global Options"]["Fixed Frame"] = odom_frame
    manager["Views"]["Current"]["Target Frame"] = base_frame
    for display in manager["Displays"]:
        if "Topic" in display:
            display["Topic"]["Value"] = namespace + display["Topic"]["Value"].removeprefix(_NAMESPACE)
    return yaml.safe_dump(config, sort_keys=False)


def _in_file(params_file: Path) -> dict[str, Any]:
    """Return the parameters of all nodes in a file together."""
    try:
        nodes = yaml.safe_load(params_file.read_text())
        return {name: value for node in nodes.values() for name, value in node["ros__parameters"].items()}
    except OSError as error:
        raise ParametersFileError(f"params_file {params_file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ParametersFileError(
            f"params_file {params_file} holds no parameters of a node: see config/vo.yaml"
        ) from error
