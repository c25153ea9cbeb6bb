"""Parts of the pipeline, on objects of paper."""

from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from loftr_ros.odometry.config import OdometryConfigError
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.pipeline import Pipeline
from loftr_ros.ros.transforms.frames import camera_in_base


@pytest.fixture
def pipeline():
    """What `_set_extrinsics` uses of a pipeline whose scale is that of the camera's height."""
    parameters = VoParameters(scale_source="camera_height", camera_height=1.5)
    return SimpleNamespace(
        _T_base_camera=None, _pitch=None, _parameters=parameters, _odometry=Mock(), _outputs=Mock(),
        _interruptions=Mock(),
    )  # fmt: skip


def test_a_camera_that_looks_straight_down_is_refused_with_each_frame(pipeline):
    """Not with the first one only, after which the others would be used as if it looked ahead."""
    down = camera_in_base(0, 0, 1.5, 0, np.pi / 2, 0)
    for _ in range(3):
        with pytest.raises(OdometryConfigError, match=r"camera_pitch is 1\.57"):
            Pipeline._set_extrinsics(pipeline, down)
    pipeline._odometry.reconfigure.assert_not_called()


def test_the_pitch_of_the_camera_is_that_of_its_extrinsics(pipeline):
    ahead, tilted = camera_in_base(0, 0, 1.5, 0, 0, 0), camera_in_base(0, 0, 1.5, 0, 0.2, 0)
    for T, restarts in ((ahead, 0), (ahead, 0), (tilted, 1), (tilted, 1)):
        Pipeline._set_extrinsics(pipeline, T)
        assert pipeline._outputs.restart_here.call_count == pipeline._interruptions.add.call_count == restarts
    assert pipeline._odometry.reset.call_count == 2
    (config,) = pipeline._odometry.reconfigure.call_args.args
    assert config.camera_pitch == pytest.approx(0.2)
