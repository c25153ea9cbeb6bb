"""Safe subset of YAML for calibrations and settings: bounded, and without aliases, which expand exponentially."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml

from loftr_ros.errors import shortened

# PyYAML takes up to 1.3 s for a text of this length, and 1 s until deep nesting ends in a RecursionError.
_MAX_LENGTH = 50_000
_MAX_DEPTH = 30

# Errors of PyYAML for invalid or too deeply nested YAML, and for values that do not fit their type (`!!int x`, day 99
# of a month, too large exponents).
ERRORS = (yaml.YAMLError, RecursionError, ValueError, OverflowError, LookupError, AttributeError, TypeError)


def load(text: str, *, repeats: bool = False) -> Any:
    """Parse a YAML text with one document; empty ones after it are ignored, as `ros2 topic echo` ends with ---.

    Args:
        text: the content of a file.
        repeats: whether a key may be repeated, and the last holds, as in parameter files of ROS.

    Raises:
        YAMLError or another of ERRORS: it is not valid.
    """
    if len(text) > _MAX_LENGTH:
        raise yaml.YAMLError(f"it has more than {_MAX_LENGTH} characters")
    documents = [
        document for document in yaml.load_all(text, _Loader if repeats else _UniqueLoader) if document is not None
    ]
    if len(documents) > 1:
        raise yaml.YAMLError(f"it has {len(documents)} documents, separated by ---: keep one")
    return documents[0] if documents else None


class _Loader(yaml.SafeLoader):
    """Safe loader without aliases, which calibrations do not need, and for few levels of nesting."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node as the safe loader does; raise for an alias, or if it is nested too deeply."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*)")
        if self._depth > _MAX_DEPTH:
            raise yaml.YAMLError(f"it has more than {_MAX_DEPTH} levels")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _UniqueLoader(_Loader):
    """Refuses a key that is repeated in a mapping, of which PyYAML drops the first without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping as the safe loader does; raise for a repeated key."""
        node = super().compose_mapping_node(anchor)
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if repeated := [key for key, count in keys.items() if count > 1]:
            raise yaml.YAMLError(f"it has {shortened(repeated[0], 60)} twice: keep one")
        return node


def _opencv_matrix(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Return an OpenCV matrix: a mapping of rows, cols, dt and data."""
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _opencv_matrix)
