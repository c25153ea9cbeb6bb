"""What the node logs of its first images."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image as Picture
from sensor_msgs.msg import CompressedImage

from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.ros.messages.conversions import compressed_from_array, image_from_array
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.input_notes import InputNotes
from loftr_ros.ros.sensors.streams import streams

GRAY = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
CAMERA = Camera(64, 48, np.array([[50.0, 0, 31], [0, 50, 23], [0, 0, 1]]))


def notes(images, depth=None, frames=1, **parameters):
    said = []
    looked_at = VoParameters(**parameters)
    input_notes = InputNotes(streams(looked_at, "/loftr/{}".format), looked_at, said.append)
    for _ in range(frames):
        input_notes.add(images, Frame(0, GRAY, CAMERA, depth=depth))
    return said


@pytest.mark.parametrize("frames", [1, 3])
def test_unit_and_median_of_depth_are_said_once(frames):
    depth = np.full(GRAY.shape, 2.5, np.float32)
    depth[0], depth[1] = np.nan, 0
    counts = np.full(GRAY.shape, 2500, np.uint16)
    metric, integer = (image_from_array(array) for array in (depth, counts))
    said = notes([image_from_array(GRAY), metric], depth, frames, mode="rgbd")
    assert said == ["depth on /loftr/depth/image is 32FC1 in meters, median 2.5 m"]
    said = notes([image_from_array(GRAY), integer], depth, mode="rgbd", depth_scale=0.001)
    assert said == ["depth on /loftr/depth/image is 16UC1 in counts of 0.001 m (depth_scale), median 2.5 m"]
    packed = [compressed_from_array(array) for array in (GRAY, depth)]
    said = notes(packed, depth, mode="rgbd", image_transport="compressed")
    assert said == [
        "depth on /loftr/depth/image/compressedDepth is 16UC1 in counts of 0.001 m (depth_scale), median 2.5 m"
    ]


def test_images_of_eight_bits_need_no_note():
    assert notes([image_from_array(GRAY)]) == []
    assert notes([compressed_from_array(GRAY)], image_transport="compressed") == []


def test_sixteen_bits_are_said_for_each_camera():
    sixteen = image_from_array(GRAY.astype(np.uint16) * 16)
    said = notes([sixteen, sixteen], mode="stereo")
    assert said == [
        f"/loftr/{side}/image: images of 16 bits are stretched by content to 8" for side in ("left", "right")
    ]
    packed = CompressedImage(format="mono16; png compressed mono16")
    packed.data.frombytes(cv2.imencode(".png", GRAY.astype(np.uint16) * 16)[1].tobytes())
    assert "stretched by content" in notes([packed], image_transport="compressed")[0]


def test_exif_orientation_is_said():
    exif, file = Picture.Exif(), BytesIO()
    exif[0x0112] = 6
    Picture.fromarray(GRAY).save(file, "JPEG", exif=exif)
    turned = CompressedImage(format="jpeg")
    turned.data.frombytes(file.getvalue())
    (said,) = notes([turned], image_transport="compressed")
    assert said.startswith("the EXIF orientation of images on /loftr/image/compressed is ignored: images stay as")


@pytest.mark.parametrize(("counts_per_meter", "is_doubted"), [(1000, False), (10_000, True), (50, True)])
def test_implausible_unit_of_integer_depth_is_warned_about(counts_per_meter, is_doubted):
    """L515 and D405 count 0.25 mm and 0.1 mm; a room is then up to 60 m long."""
    counts = np.linspace(0.4 * counts_per_meter, 4 * counts_per_meter, GRAY.size).reshape(GRAY.shape).astype(np.uint16)
    images = [image_from_array(GRAY), image_from_array(counts)]
    warned = []
    for scale, expected in ((0.001, is_doubted), (0.0011, False)):
        parameters = VoParameters(mode="rgbd", depth_scale=scale)
        decoded = streams(parameters, "/loftr/{}".format)
        input_notes = InputNotes(decoded, parameters, lambda _: None, warned.append)
        input_notes.add(images, Frame(0, GRAY, CAMERA, depth=decoded[1].decode(images[1], "depth")))
        assert "16UC1 in counts of" in input_notes.diagnostics()["assumptions"]
        assert len(warned) == expected
        assert all("check depth_scale" in text for text in warned)
        assert input_notes.warning == (warned[0] if expected else None)  # for the diagnostics
        warned.clear()


def test_a_camera_that_starts_without_depth_is_judged_by_the_first_that_it_has():
    parameters, said, warned = VoParameters(mode="rgbd"), [], []
    input_notes = InputNotes(streams(parameters, "/loftr/{}".format), parameters, said.append, warned.append)
    for meters in (0.0, 0.0, 100.0, 90.0):
        depth = np.full(GRAY.shape, meters, np.float32)
        counts = image_from_array((500 * depth).astype(np.uint16))
        input_notes.add([image_from_array(GRAY), counts], Frame(0, GRAY, CAMERA, depth=depth))
    assert [text.rpartition(", ")[2] for text in said] == ["no depth at all", "median 100 m"]
    assert input_notes.diagnostics()["assumptions"] == said[-1]
    assert len(warned) == 1
    assert "is 1e+02 to 1e+02 m away" in warned[0]


@pytest.mark.parametrize("kind", ["16UC1", "32FC1"])
@pytest.mark.parametrize("is_swapped", [False, True])
def test_byte_order_is_judged_by_an_image_with_content(kind, is_swapped):
    parameters, warned = VoParameters(mode="rgbd"), []
    input_notes = InputNotes(streams(parameters, "/loftr/{}".format), parameters, lambda _: None, warned.append)
    v, u = np.mgrid[:48, :64]
    for scale in (0, 0, 1, 1):
        counts = (scale * (1500 + 20 * u + 3 * v + 400 * (u > 30))).astype(np.uint16)
        image = counts if kind == "16UC1" else (1e-3 * counts).astype(np.float32)
        message = image_from_array(image.byteswap() if is_swapped else image)
        input_notes.add([image_from_array(GRAY), message], Frame(0, GRAY, CAMERA, depth=np.zeros(GRAY.shape, "f4")))
    assert len(warned) == is_swapped
    assert all("little-endian by is_bigendian, but their bytes are in the other order" in text for text in warned)
    assert input_notes.warning == (warned[0] if is_swapped else None)
