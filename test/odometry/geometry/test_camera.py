import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loftr_ros.odometry.geometry.camera import Camera, CameraError, checked, stereo_baseline

K = np.array([[458.0, 0.0, 367.0], [0.0, 457.0, 248.0], [0.0, 0.0, 1.0]])
MODELS = {
    "none": [],
    "plumb_bob": [-0.283, 0.0739, 0.0002, 0.00002, 0.0],
    "rational_polynomial": [0.3, 0.05, 0.0004, 0.0001, 0.0, 0.55, 0.1, 0.0],
    "equidistant": [-0.01, 0.02, -0.01, 0.002],
}
PRISM = [*MODELS["rational_polynomial"], 0.001, -0.0005, 0.0008, 0.0002]
TILT = [*PRISM, 0.02, -0.03]
P = [500.0, 0.0, 320.0, 0.0, 0.0, 500.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("model", MODELS)
@given(x=st.floats(0, 751), y=st.floats(0, 479), z=st.floats(0.1, 100))
def test_pixels_survive_normalize_and_project(model: str, x: float, y: float, z: float) -> None:
    camera = Camera(752, 480, K, model, np.array(MODELS[model]))
    ray = np.append(camera.normalize([[x, y]])[0], 1.0)
    np.testing.assert_allclose(camera.project([z * ray]), [[x, y]], atol=1e-3)


@pytest.mark.parametrize("distortion", [PRISM, TILT])
@given(x=st.floats(0, 751), y=st.floats(0, 479))
def test_thin_prism_and_tilted_sensor(distortion: list[float], x: float, y: float) -> None:
    camera = Camera(752, 480, K, "rational_polynomial", np.array(distortion))
    ray = np.append(camera.normalize([[x, y]])[0], 1.0)
    np.testing.assert_allclose(camera.project([ray]), [[x, y]], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "distortion", "model", "kept"),
    [
        ("radtan", [0.1, 0, 0, 0], "plumb_bob", 4),
        ("radial-tangential", [0.1, 0, 0, 0], "plumb_bob", 4),
        ("Plumb Bob", [0.1, 0, 0, 0, 0], "plumb_bob", 5),
        ("plumb_bob", [0.1] * 8, "rational_polynomial", 8),  # the number of coefficients decides, as in OpenCV
        ("rational_polynomial", [0.1, 0, 0, 0, 0], "plumb_bob", 5),
        ("fisheye", [0.1, 0, 0, 0], "equidistant", 4),
        ("kannala_brandt", [0.1, 0, 0, 0], "equidistant", 4),
        ("equidistant", [0.1, 0, 0, 0, 0], "equidistant", 4),  # RealSense T265
    ],
)
def test_names_of_other_programs(name: str, distortion: list[float], model: str, kept: int) -> None:
    camera = Camera(752, 480, K, name, np.array(distortion))
    assert (camera.distortion_model, camera.distortion.size) == (model, kept)


def test_a_region_of_the_image_sees_the_same_rays() -> None:
    camera = Camera(752, 480, K, "plumb_bob", np.array(MODELS["plumb_bob"]))
    region = camera.cropped(100, 50, 300, 200)
    assert (region.width, region.height) == (300, 200)
    np.testing.assert_allclose(region.normalize([[10, 20]]), camera.normalize([[110, 70]]), atol=1e-9)


@pytest.mark.parametrize("name", ["equidistant", "fisheye", "kannala_brandt"])
def test_an_equidistant_lens_with_coefficients_of_zero_is_no_pinhole(name: str) -> None:
    """As simulators publish it: the radius is the angle by the focal length."""
    camera = Camera.from_camera_info(752, 480, K.ravel(), [0.0] * 4, name, [0.0] * 12, rectified=False)
    assert (camera.distortion_model, camera.has_lens) == ("equidistant", True)
    at_60_degrees = camera.project([[np.tan(np.radians(60)), 0.0, 1.0]])
    np.testing.assert_allclose(at_60_degrees, [[K[0, 2] + K[0, 0] * np.radians(60), K[1, 2]]], atol=1e-6)
    with pytest.raises(CameraError, match="P of the camera info is empty"):
        Camera.from_camera_info(752, 480, K.ravel(), [0.0] * 4, name, [0.0] * 12, rectified=True)
    for model, count in (("plumb_bob", 5), ("", 4), ("rational_polynomial", 8), (name, 0)):
        pinhole = Camera.from_camera_info(752, 480, K.ravel(), [0.0] * count, model, [0.0] * 12, rectified=False)
        assert (pinhole.distortion_model, pinhole.has_lens) == ("none", False)


@pytest.mark.parametrize("model", MODELS)
def test_no_points_are_no_error(model: str) -> None:
    camera = Camera(752, 480, K, model, np.array(MODELS[model]))
    assert camera.normalize(np.zeros((0, 2))).shape == (0, 2)
    assert camera.project(np.zeros((0, 3))).shape == (0, 2)


def test_scaling_keeps_the_rays_of_the_image_corners() -> None:
    camera = Camera(752, 480, K)
    small = camera.scaled(376, 160)
    # The outer corner of the top-left pixel is at (-0.5, -0.5) at every size.
    np.testing.assert_allclose(small.normalize([[-0.5, -0.5]]), camera.normalize([[-0.5, -0.5]]))
    np.testing.assert_allclose(small.normalize([[375.5, 159.5]]), camera.normalize([[751.5, 479.5]]))


def test_a_slice_of_a_projection_matrix_becomes_contiguous() -> None:
    assert Camera(640, 480, np.reshape(P, (3, 4))[:, :3]).K.flags.c_contiguous


def test_camera_info_raw_and_rectified() -> None:
    raw = Camera.from_camera_info(752, 480, K.ravel(), MODELS["plumb_bob"], "plumb_bob", P, rectified=False)
    assert raw.distortion_model == "plumb_bob"
    assert raw.focal == 457.5
    rectified = Camera.from_camera_info(752, 480, K.ravel(), MODELS["plumb_bob"], "plumb_bob", P, rectified=True)
    assert rectified.distortion_model == "none"
    assert rectified.focal == 500.0


def test_zero_distortion_of_any_model_is_none() -> None:
    camera = Camera.from_camera_info(752, 480, K.ravel(), [0.0] * 5, "", P, rectified=False)
    assert camera.distortion_model == "none"


OTHER_P = [400.0, 0.0, 300.0, 20.0, 0.0, 400.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("left", "right", "baseline"),
    [
        (P, [*P[:3], -60.0, *P[4:]], 0.12),
        ([0.0] * 12, [*P[:3], -60.0, *P[4:]], 0.12),  # raw images often come with an empty P on the left
        ([*P[:3], 45.0, *P[4:]], [*P[:3], -15.0, *P[4:]], 0.12),  # the color pair of KITTI: camera 0 is another one
        (OTHER_P, [*P[:3], -60.0, *P[4:]], 0.17),  # each by its own focal length
        ([*P[:11], 0.01], [*P[:3], -60.0, *P[4:]], 0.12 - 0.01 * 320 / 500),  # P[3] = fx x + cx z
    ],
)
def test_baseline_of_a_pair(left: list[float], right: list[float], baseline: float) -> None:
    assert stereo_baseline(left, right) == pytest.approx(baseline)


@pytest.mark.parametrize("p", [P, [*P[:3], 60.0, *P[4:]], [0.0] * 12, []])
def test_no_baseline(p: list[float]) -> None:
    with pytest.raises(CameraError, match="baseline"):
        stereo_baseline(P, p)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "size"),
        ({"K": np.zeros((3, 3))}, "focal"),
        ({"K": np.full((3, 3), np.nan)}, "focal"),
        ({"distortion_model": "fov"}, "fov"),
        ({"distortion_model": "double_sphere", "distortion": np.ones(2)}, "double_sphere.*calibrate a fisheye"),
        ({"distortion_model": "rational_polynomial", "distortion": np.ones(6)}, "takes 8 or 12 or 14"),
        ({"distortion_model": "equidistant", "distortion": np.ones(5)}, "5 coefficients; equidistant takes 4"),
        ({"distortion_model": "plumb_bob"}, "0 coefficients"),
        ({"distortion_model": "equidistant", "distortion": np.full(4, np.nan)}, "finite"),
    ],
)
def test_impossible_cameras_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(CameraError, match=message):
        Camera(**{"width": 752, "height": 480, "K": K, **change})  # type: ignore[arg-type]


def test_an_uncalibrated_camera_is_refused() -> None:
    with pytest.raises(CameraError, match="calibrate"):
        Camera.from_camera_info(752, 480, [0.0] * 9, [], "plumb_bob", [0.0] * 12, rectified=False)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("focal", [1e-320, 1e-200, 1e300])
def test_focal_lengths_of_any_size_are_refused_without_a_warning_of_numpy(focal: float) -> None:
    with pytest.raises(CameraError):
        checked(Camera(64, 48, np.array([[focal, 0, 31], [0, 50, 23], [0, 0, 1]])))
