"""Safe subset of YAML for calibrations: no aliases, so time and memory are linear in the file size. Needs PyYAML."""

from __future__ import annotations

from typing import Any

import yaml

# Errors of PyYAML for invalid or too deeply nested YAML, and for values that do not fit their type (`!!int x`, day 99
# of a month, too large exponents).
ERRORS = (yaml.YAMLError, RecursionError, ValueError, OverflowError, LookupError, AttributeError, TypeError)


def load(text: str) -> Any:
    """Parse a YAML text. Raises one of ERRORS."""
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    """Safe loader without aliases: nested aliases expand exponentially, and calibrations do not need them."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node as the safe loader does; raise for an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*)")
        return super().compose_node(parent, index)


def _opencv_matrix(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Return an OpenCV matrix: a mapping of rows, cols, dt and data."""
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _opencv_matrix)
