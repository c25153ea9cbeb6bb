"""Declaration of the parameters on a node, with descriptors, and validation of every change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from loftr_ros.errors import LoftrRosError
from loftr_ros.parameters import ParameterError, ParameterSpec
from loftr_ros.ros.parameters.table import PARAMETERS, VoParameters, odometry_config, validated
from loftr_ros.ros.publishers import diagnostics_output

_OTHERS = ("qos_overrides.", diagnostics_output.PARAMETERS)  # declared by ROS itself
_SPECS = {spec.name: spec for spec in PARAMETERS}


def overrides(node: Node) -> dict[str, Any]:
    """Return the values of the command line and of files for parameters that are not declared yet."""
    return {
        name: override.value
        for name, override in node._parameter_overrides.items()
        if not node.has_parameter(name) and not name.startswith(_OTHERS)
    }


class NodeParameters:
    """Declares the parameters; refuses invalid values, and changes that cannot take effect.

    Attributes:
        in_use: set while the node is configured, when only runtime parameters may change.
    """

    def __init__(self, node: Node, changed: Callable[[VoParameters], None]) -> None:
        """Declare the parameters with the values of the command line and files, validated here for clear messages.

        Args:
            node: without these parameters yet.
            changed: called with all values after a change while `in_use`.

        Raises:
            ParameterError: a parameter does not exist or is outside its range.
        """
        self.in_use = False
        self._node = node
        self._changed = changed
        values = validated(overrides(node))
        for spec in PARAMETERS:
            node.declare_parameter(spec.name, getattr(values, spec.name), _descriptor(spec), ignore_override=True)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._notify)

    def values(self) -> VoParameters:
        """Return the current values."""
        return validated({name: self._node.get_parameter(name).value for name in _SPECS})

    def _check(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        ours = {parameter.name: parameter.value for parameter in parameters if parameter.name in _SPECS}
        try:
            for name, value in ours.items():
                _SPECS[name].check(value)
            if self.in_use and ours:
                self._check_in_use(ours)
        except LoftrRosError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _check_in_use(self, changes: dict[str, Any]) -> None:
        for name in changes:
            if not _SPECS[name].runtime:
                raise ParameterError(
                    f"{name} takes effect when the node is configured: deactivate and clean it up first"
                )
        odometry_config(validated({**vars(self.values()), **changes}))

    def _notify(self, parameters: list[Parameter[Any]]) -> None:
        if self.in_use and any(parameter.name in _SPECS for parameter in parameters):
            self._changed(self.values())


def _descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        description=spec.description, additional_constraints=spec.constraints, read_only=spec.read_only
    )
    if spec.low is not None and spec.high is not None:
        if isinstance(spec.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=spec.low, to_value=spec.high)]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)]
    return descriptor
