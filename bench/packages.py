"""Packages that only some methods of the benchmarks need."""

from __future__ import annotations

import importlib
from typing import Any

from data import BenchError


def package(name: str) -> Any:
    """Import a module. Raises BenchError with the command that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BenchError(f"{name.partition('.')[0]} is not installed: pip install 'loftr_ros[dev,bench]'.") from error
