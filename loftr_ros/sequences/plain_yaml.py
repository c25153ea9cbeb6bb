"""Safe subset of YAML for calibrations: no aliases, so time and memory are linear in the file size. Needs PyYAML."""

from __future__ import annotations

from typing import Any

import yaml

# Errors of PyYAML for invalid or too deeply nested YAML, and for values that do not fit their type (`!!int x`, day 99
# of a month, too large exponents).
ERRORS = (yaml.YAMLError, RecursionError, ValueError, OverflowError, LookupError, AttributeError, TypeError)


def load(text: str) -> Any:
    """Parse a YAML text with one document; empty ones after it are ignored, as `ros2 topic echo` ends with ---.

    Raises:
        YAMLError or another of ERRORS: it is not valid.
    """
    documents = [document for document in yaml.load_all(text, _Loader) if document is not None]
    if len(documents) > 1:
        raise yaml.YAMLError(f"it has {len(documents)} documents, separated by ---: keep one")
    return documents[0] if documents else None


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
