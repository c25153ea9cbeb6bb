"""Reads NumPy archives with object arrays without executing pickled code."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

# Functions in pickles of NumPy arrays, scalars and bytes, before and after NumPy 2.
_ALLOWED = {
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numeric", "_frombuffer"),
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, which is not a plain value")
        return super().find_class(module, name)


def read_plain_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an `.npz` file; object arrays may hold numbers, text, lists, tuples and arrays only.

    Raises:
        OSError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError and others: the file is damaged or holds others.
    """
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                array = _read_objects(file)
            if array is None:
                with archive.open(member) as file:
                    array = np.lib.format.read_array(file, allow_pickle=False)
            arrays[member.removesuffix(".npy")] = array
    return arrays


def _read_objects(file: IO[bytes]) -> NDArray[Any] | None:
    """Read an object array; None for any other array."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    return np.reshape(_PlainUnpickler(file).load(), shape) if dtype.hasobject else None
