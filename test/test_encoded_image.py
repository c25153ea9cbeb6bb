"""Encoded images: truncated, padded, followed by other data, or too large."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from loftr_ros.encoded_image import DecodeError, claimed_size, decode, has_exif_rotation

GRAY = cv2.IMREAD_GRAYSCALE


def jpeg(texture: NDArray[np.uint8], *options: int) -> bytes:
    return bytes(cv2.imencode(".jpg", texture, options)[1])


def png_of_size(width: int, height: int) -> bytes:
    """Return a valid PNG with one black row."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(width + 1))), (b"IEND", b""))
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return content


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("kept", [0.1, 0.4, 0.9, 0.999])
def test_truncated_jpeg(texture: NDArray[np.uint8], progressive: int, kept: float) -> None:
    data = jpeg(texture, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    with pytest.raises(DecodeError, match="ends early"):
        decode(data[: int(len(data) * kept)], GRAY)
    with pytest.raises(DecodeError, match="ends early"):  # a file allocated but not fully written
        decode(data[: int(len(data) * kept)] + bytes(1000), GRAY)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("rest", [bytes(5), bytes(1000), b"film \xff\xda and more", b"\xff\xd8\xff\xe0 cut"])
def test_jpeg_followed_by_other_data(texture: NDArray[np.uint8], progressive: int, rest: bytes) -> None:
    data = jpeg(texture, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, 3)
    assert np.abs(decode(data + rest, GRAY).astype(int) - texture).mean() < 5


def test_the_end_of_a_thumbnail_is_not_that_of_the_jpeg(texture: NDArray[np.uint8]) -> None:
    data, thumbnail = jpeg(texture), jpeg(texture[::8, ::8])
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    whole = data[:2] + segment + data[2:]
    assert decode(whole, GRAY).shape == texture.shape
    with pytest.raises(DecodeError, match="ends early"):
        decode(whole[:-100], GRAY)


@pytest.mark.parametrize("kept", [0.1, 0.4, 0.9, 0.999])
def test_truncated_png(texture: NDArray[np.uint8], kept: float) -> None:
    data = bytes(cv2.imencode(".png", texture)[1])
    with pytest.raises(DecodeError, match="ends early"):
        decode(data[: int(len(data) * kept)], GRAY)


def test_png_of_excessive_size() -> None:
    with pytest.raises(DecodeError, match="claims to have 30000x30000 pixels"):
        decode(png_of_size(30_000, 30_000), GRAY)
    with pytest.raises(DecodeError, match="too short for its pixels"):  # 69 bytes, which would take 256 MiB
        decode(png_of_size(1, 1)[:16] + png_of_size(16_384, 16_384)[16:33] + png_of_size(1, 1)[33:], GRAY)
    assert decode(png_of_size(8, 1), GRAY).tolist() == [[0] * 8]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp", ".pgm"])
def test_size_by_the_header(texture: NDArray[np.uint8], suffix: str) -> None:
    data = bytes(cv2.imencode(suffix, texture)[1])
    assert claimed_size(data) == (320, 200)
    assert claimed_size(data[:7]) is None


def test_jpeg_of_excessive_size(texture: NDArray[np.uint8]) -> None:
    data = jpeg(texture)
    frame = data.index(b"\xff\xc0") + 5
    with pytest.raises(DecodeError, match="claims to have 65500x65500 pixels"):
        decode(data[:frame] + struct.pack(">HH", 65_500, 65_500) + data[frame + 4 :], GRAY)
    data = jpeg(texture[:16, :16])  # 0.5 KiB, which would take 0.5 GiB and seconds
    frame = data.index(b"\xff\xc0") + 5
    with pytest.raises(DecodeError, match="too short for its pixels"):
        decode(data[:frame] + struct.pack(">HH", 16_000, 16_000) + data[frame + 4 :], GRAY)


def test_highly_compressed_images_are_read() -> None:
    for shape in ((1, 1), (1, 9), (4000, 4000), (500, 500, 3), (500, 500, 4)):
        for dtype in (np.uint8, np.uint16):
            data = bytes(cv2.imencode(".png", np.zeros(shape, dtype), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])
            assert decode(data, cv2.IMREAD_UNCHANGED).shape == shape
    data = bytes(cv2.imencode(".png", np.zeros((3000, 3000), np.uint8), [cv2.IMWRITE_PNG_BILEVEL, 1])[1])
    assert decode(data, GRAY).shape == (3000, 3000)


@pytest.mark.parametrize(("orientation", "turned"), [(None, False), (1, False), (3, True), (6, True)])
def test_orientation(texture: NDArray[np.uint8], orientation: int | None, turned: bool) -> None:
    exif, file = Image.Exif(), BytesIO()
    if orientation:
        exif[0x0112] = orientation
    Image.fromarray(texture).save(file, "JPEG", exif=exif)
    assert has_exif_rotation(file.getvalue()) is turned


def test_formats_whose_size_is_unknown_are_not_decoded() -> None:
    """OpenCV knows some that Pillow does not, and would allocate whatever their header says."""
    hdr = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n" + bytes([128, 128, 128, 128])
    assert cv2.imdecode(np.frombuffer(hdr, np.uint8), cv2.IMREAD_UNCHANGED) is not None
    with pytest.raises(DecodeError, match="damaged or incomplete"):
        decode(hdr, cv2.IMREAD_UNCHANGED)


def tiff_of_size(side: tuple[int, int], order: str = "<", big: bool = False, compression: int = 1) -> bytes:
    """Return a TIFF of 64-bit numbers with 100 bytes for its pixels."""
    width, height = side
    tags = {256: width, 257: height, 258: 64, 259: compression, 262: 1, 273: 16, 277: 1, 278: height, 279: 100, 339: 3}
    start, count, entry = ("HHHQ", "Q", "HHQQ") if big else ("HI", "H", "HHII")
    head = (43, 8, 0, 116) if big else (42, 116)
    content = (b"II" if order == "<" else b"MM") + struct.pack(order + start, *head)
    content = content.ljust(116, b"\0") + struct.pack(order + count, len(tags))
    for tag, value in tags.items():
        content += struct.pack(order + entry, tag, 16 if big else 4, 1, value)
    return content + bytes(8)


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True), (">", True)])
def test_tiff_of_excessive_size(order: str, big: bool) -> None:
    """Of 64 bits, which Pillow does not know, and OpenCV allocates."""
    assert claimed_size(tiff_of_size((300, 200), order, big)) == (300, 200)
    with pytest.raises(DecodeError, match="claims to have 32768x32768 pixels"):
        decode(tiff_of_size((32_768, 32_768), order, big), cv2.IMREAD_UNCHANGED)
    for compression in (1, 5, 8, 32773):
        with pytest.raises(DecodeError, match="too short for its pixels"):
            decode(tiff_of_size((16_384, 16_384), order, big, compression), cv2.IMREAD_UNCHANGED)


def test_damaged_tiff(texture: NDArray[np.uint8]) -> None:
    data = bytes(cv2.imencode(".tif", texture)[1])
    for length in (4, 7, 8, len(data) - 100):
        with pytest.raises(DecodeError):
            decode(data[:length], cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("scheme", [1, 5, 8, 32946, 32773])
def test_highly_compressed_tiff_is_read(scheme: int) -> None:
    """Rows of one value, in each compression."""
    pixels = np.zeros((3000, 2000), np.uint8)
    data = bytes(cv2.imencode(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, scheme])[1])
    assert decode(data, cv2.IMREAD_UNCHANGED).shape == pixels.shape


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_OPTIMIZE, 1)])
@pytest.mark.parametrize("shape", [(4000, 3000), (4000, 3000, 3)])
def test_highly_compressed_jpeg_is_read(shape: tuple[int, ...], options: tuple[int, ...]) -> None:
    data = bytes(cv2.imencode(".jpg", np.full(shape, 128, np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 1, *options])[1])
    assert decode(data, cv2.IMREAD_UNCHANGED).shape == shape


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_tiff_of_any_numbers_is_decoded(dtype: type[np.generic]) -> None:
    pixels = np.arange(12).reshape(3, 4).astype(dtype)
    np.testing.assert_array_equal(decode(bytes(cv2.imencode(".tif", pixels)[1]), cv2.IMREAD_UNCHANGED), pixels)
