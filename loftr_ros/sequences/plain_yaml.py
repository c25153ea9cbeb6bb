"""YAML as calibrations need it: plain values, and no more time or memory than the file is long. Needs PyYAML."""

from __future__ import annotations

from typing import Any

import yaml

# What PyYAML raises for text that is no YAML or nested too deeply, and for values that are none of their type
# (`!!int x`, the 99th of a month, an exponent beyond all numbers).
ERRORS = (yaml.YAMLError, RecursionError, ValueError, OverflowError, LookupError, AttributeError, TypeError)


def load(text: str) -> Any:
    """Return the values of a text. Raises one of ERRORS."""
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    """Plain values only: aliases of aliases expand to any size, and a calibration has no use for them."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose as the safe loader does, without aliases."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*)")
        return super().compose_node(parent, index)


def _opencv_matrix(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Return a matrix as OpenCV writes it, which is a mapping of rows, cols, dt and data."""
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _opencv_matrix)
