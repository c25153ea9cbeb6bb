"""Safe subset of YAML for calibrations and settings: bounded, and without aliases, which expand exponentially."""

from __future__ import annotations

from typing import Any

import yaml

# PyYAML takes 2 s for a text of this length, and 1 s until deep nesting ends in a RecursionError.
_MAX_LENGTH = 1 << 18
_MAX_DEPTH = 30

# Errors of PyYAML for invalid or too deeply nested YAML, and for values that do not fit their type (`!!int x`, day 99
# of a month, too large exponents).
ERRORS = (yaml.YAMLError, RecursionError, ValueError, OverflowError, LookupError, AttributeError, TypeError)


def load(text: str) -> Any:
    """Parse a YAML text with one document; empty ones after it are ignored, as `ros2 topic echo` ends with ---.

    Raises:
        YAMLError or another of ERRORS: it is not valid.
    """
    if len(text) > _MAX_LENGTH:
        raise yaml.YAMLError(f"it has more than {_MAX_LENGTH} characters")
    documents = [document for document in yaml.load_all(text, _Loader) if document is not None]
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


def _opencv_matrix(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Return an OpenCV matrix: a mapping of rows, cols, dt and data."""
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _opencv_matrix)
