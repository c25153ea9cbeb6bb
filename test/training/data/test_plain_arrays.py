"""Archives of objects are read; those that would execute something are not."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from loftr_ros.training.data.plain_arrays import read_plain_npz


class Harmful:
    """Runs a command when it is unpickled the usual way."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


@pytest.mark.parametrize("compressed", [False, True])
def test_what_indices_hold(tmp_path: Path, compressed: bool) -> None:
    mixed = np.empty(3, object)
    mixed[:] = ["a.jpg", None, np.eye(3)]
    pairs = np.empty((2, 2), object)
    pairs[:] = [[(np.int64(0), 1), np.float32(0.5)], [(1, 2), 0.25]]
    save = np.savez_compressed if compressed else np.savez
    save(tmp_path / "x.npz", mixed=mixed, pairs=pairs, plain=np.arange(4.0), empty=np.empty(0, object))
    arrays = read_plain_npz(tmp_path / "x.npz")
    assert set(arrays) == {"mixed", "pairs", "plain", "empty"}
    assert arrays["mixed"][:2].tolist() == ["a.jpg", None]
    assert np.array_equal(arrays["mixed"][2], np.eye(3))
    assert arrays["pairs"].shape == (2, 2)
    assert arrays["pairs"][0, 0] == (0, 1)
    assert arrays["pairs"][0, 1] == 0.5
    assert arrays["plain"].tolist() == [0, 1, 2, 3]
    assert len(arrays["empty"]) == 0


def test_names_of_both_generations_of_numpy(tmp_path: Path) -> None:
    """Indices were written with NumPy 1, whose core had another name."""
    array = np.empty(2, object)
    array[:] = [np.eye(2), np.float64(3)]
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        pickled = pickle.dumps(array, protocol=2)
        pickled = pickled.replace(b"numpy._core.multiarray", name).replace(b"numpy.core.multiarray", name)
        content = io.BytesIO()
        np.lib.format.write_array_header_1_0(content, {"descr": "|O", "fortran_order": False, "shape": (2,)})
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr("x.npy", content.getvalue() + pickled)
        first, second = read_plain_npz(tmp_path / "x.npz")["x"]
        assert np.array_equal(first, np.eye(2))
        assert second == 3


def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executed: list[str] = []
    array = np.empty(1, object)
    array[0] = Harmful()
    np.savez(tmp_path / "x.npz", x=array)
    monkeypatch.setattr("os.system", executed.append)
    with pytest.raises(pickle.UnpicklingError, match="not a plain value"):
        read_plain_npz(tmp_path / "x.npz")
    assert executed == []
