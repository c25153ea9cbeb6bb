"""Messages of drivers that fill them wrongly: an image or a camera that can be used, or a sentence."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st

from loftr_ros.errors import LoftrRosError
from loftr_ros.messages.calibration import Calibration
from loftr_ros.messages.camera_info import baseline_from_calibration
from loftr_ros.messages.image_decoding import (
    check_claimed_size,
    depth_from_compressed,
    depth_from_image,
    gray_from_compressed,
    gray_from_image,
    looks_swapped,
    stored_image,
)
from loftr_ros.sequences.stamps import seconds_to_ns, since_1970, with_leading_zeros

ENCODINGS = (
    *("mono8", "mono16", "8UC1", "16UC1", "32FC1", "rgb8", "bgr8", "rgba8", "bgra8", "yuv422", "yuyv", "uyvy"),
    *("bayer_rggb8", "bayer_gbrg8", "", "nv12", "64FC1", "8UC5", "mono8 ", "x" * 5000, "\x1b[31m"),
)
SIZES = st.sampled_from([0, 1, 2, 3, 8, 63, 64, 65, 2**16, 2**32 - 1])
NASTY = st.sampled_from([0.0, 1.0, -1.0, 0.5, 50.0, 500.0, 31.5, 1e-300, 1e6, 1e300, 1e-9, np.inf, -np.inf, np.nan])


def assert_sentence(error: LoftrRosError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 1500


def test_images(fuzz: Callable[..., None]) -> None:
    def check(case: tuple[Any, ...]) -> None:
        width, height, encoding, step, big, seed, length = case
        pixels = np.random.default_rng(seed).integers(0, 256, length, np.uint8)
        message = SimpleNamespace(
            width=width, height=height, encoding=encoding, step=step, is_bigendian=big, data=pixels
        )
        for decode in (gray_from_image, depth_from_image, lambda m, t: stored_image(m, t, compressed=False)):
            try:
                image = decode(message, "/camera/image")
            except LoftrRosError as error:
                assert_sentence(error)
            else:
                assert image.shape[:2] == (height, width)
        with suppress(LoftrRosError):
            looks_swapped(message)

    lengths = st.sampled_from([0, 1, 63, 64, 128, 64 * 8, 2 * 64 * 8, 3 * 64 * 8, 4 * 64 * 8, 4096])
    cases = st.tuples(
        SIZES, SIZES, st.sampled_from(ENCODINGS), SIZES | st.integers(0, 4096), st.integers(0, 3), SEEDS, lengths
    )
    fuzz(check, cases, quick=100)


SEEDS = st.integers(0, 2**48)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_compressed_images(fuzz: Callable[..., None], damaged_files: ModuleType) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8)
    depth = picture.astype(np.uint16) * 20
    files = [
        bytes(cv2.imencode(".png", picture)[1]),
        bytes(cv2.imencode(".jpg", picture)[1]),
        bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]),
        bytes(cv2.imencode(".tif", picture)[1]),
        bytes(cv2.imencode(".webp", picture)[1]),
        bytes(12) + bytes(cv2.imencode(".png", depth)[1]),
    ]
    formats = (
        "png",
        "jpeg",
        "16UC1; compressedDepth",
        "32FC1; compressedDepth png",
        "mono8; png compressed",
        "x" * 5000,
    )

    def check(case: tuple[int, int, str]) -> None:
        index, seed, form = case
        data = damaged_files.damaged(files[index], random.Random(seed))
        message = SimpleNamespace(format=form, data=np.frombuffer(data, np.uint8))
        for decode in (gray_from_compressed, depth_from_compressed, lambda m, t: stored_image(m, t, compressed=True)):
            try:
                check_claimed_size(message, "/camera/image", 64, 48)
                image = decode(message, "/camera/image")
            except LoftrRosError as error:
                assert_sentence(error)
            else:
                assert image.size <= 16 * 64 * 48 * 4

    fuzz(check, st.tuples(st.integers(0, 5), SEEDS, st.sampled_from(formats)), quick=100)


def info(values: list[tuple[str, int, float]], sizes: tuple[int, ...], model: str, count: int) -> Any:
    """Return a calibration of 64x48 pixels with changed numbers."""
    arrays = {
        "d": np.zeros(count),
        "k": np.array([50.0, 0, 31.5, 0, 50, 23.5, 0, 0, 1]),
        "r": np.eye(3).ravel(),
        "p": np.array([50.0, 0, 31.5, -5, 0, 50, 23.5, 0, 0, 0, 1, 0]),
    }
    for name, index, value in values:
        if len(arrays[name]):
            arrays[name][index % len(arrays[name])] = value
    width, height, *region, binning_x, binning_y = sizes
    roi = SimpleNamespace(**dict(zip(("x_offset", "y_offset", "width", "height"), region, strict=True)))
    header = SimpleNamespace(frame_id="camera")
    return SimpleNamespace(
        header=header, width=width, height=height, distortion_model=model, roi=roi, binning_x=binning_x,
        binning_y=binning_y, **arrays,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_camera_infos(fuzz: Callable[..., None]) -> None:
    pixels = np.array([[0.0, 0.0], [31.5, 23.5], [63.0, 47.0]])

    def check(case: tuple[Any, ...]) -> None:
        left, right, rectified = case
        infos = info(*left), info(*right)
        calibration = Calibration(lambda a, b: baseline_from_calibration(a, b) or 0.1, rectified=rectified)
        try:
            camera, rig = calibration.cameras(infos)
        except LoftrRosError as error:
            assert_sentence(error)
            return
        assert np.isfinite(camera.K).all()
        rays = camera.normalize(pixels)
        assert rays.shape == (3, 2)
        assert rig is not None
        assert np.isfinite(rig.T_left_right).all()
        rig.project(rays, np.ones(3))

    change = st.tuples(st.sampled_from("dkrp"), st.integers(0, 11), NASTY)
    sizes = st.just((64, 48, 0, 0, 0, 0, 0, 0)) | st.tuples(*[SIZES] * 8)
    models = st.sampled_from(["plumb_bob", "", "rational_polynomial", "equidistant", "fisheye", "x" * 5000])
    one = st.tuples(st.lists(change, max_size=4), sizes, models, st.sampled_from([0, 4, 5, 8, 12, 14, 3]))
    fuzz(check, st.tuples(one, one, st.booleans()), quick=150)


def test_stamps(fuzz: Callable[..., None], damaged_files: ModuleType) -> None:
    """Texts of stamps become integers of 64 bits, or are none."""
    words = st.sampled_from(damaged_files.TOKENS.split()) | st.decimals().map(str) | st.text(max_size=8)

    def check(texts: list[str]) -> None:
        stamps = [seconds_to_ns(text) for text in texts]
        known = [stamp for stamp in stamps if stamp is not None]
        assert all(isinstance(stamp, int) and abs(stamp) < 2**63 for stamp in known)
        found = with_leading_zeros(texts)
        assert found is None or all(0 <= stamp < 2**63 for stamp in found)

    fuzz(check, st.lists(words, max_size=5), quick=80)


def test_units_of_stamps(fuzz: Callable[..., None]) -> None:
    def check(values: list[Any]) -> None:
        found = since_1970(values)
        assert found is None or all(0 <= stamp < 2**63 for stamp in found[0])

    fuzz(check, st.lists(st.decimals(), max_size=5), quick=60)
