"""Which library converts raw images."""

import sys
from types import ModuleType

import numpy as np
import pytest

from loftr_ros.messages.image_converter import ConverterError, find_converter


def bridge(works: bool) -> ModuleType:
    """Stands for cv_bridge, whose compiled part does not load with every NumPy."""

    class CvBridge:
        def encoding_to_dtype_with_channels(self, _):
            if not works:
                raise ImportError("numpy.core.multiarray failed to import")

        def imgmsg_to_cv2(self, _, wanted):
            return np.array([wanted])

    module = ModuleType("cv_bridge")
    module.CvBridge = CvBridge
    return module


def test_cv_bridge_converts_where_it_is_and_runs(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", bridge(works=True))
    convert = find_converter()
    assert [convert(None, wanted)[0] for wanted in ("mono8", None)] == ["mono8", "passthrough"]
    for broken in (bridge(works=False), None):
        monkeypatch.setitem(sys.modules, "cv_bridge", broken)
        assert "rosbags" in find_converter().__qualname__


def test_no_library_is_an_error_that_names_both(monkeypatch):
    for name in ("cv_bridge", "rosbags.image.image"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConverterError, match=r"cv_bridge does not run .* rosbags-image is missing; install one"):
        find_converter()
