from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from loftr_ros.sequences.decoding_notes import decoding_notes, depth_unit_warning
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.formats import open_sequence


def test_mono_keeps_every_image_and_its_exact_stamp(tum: Path) -> None:
    sequence = open_sequence(tum, "mono")
    frames = list(sequence)
    assert [frame.stamp_ns for frame in frames] == [1305031453_359684000, 1305031453_459684000, 1305031453_559684000]
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 1, 2]
    assert all(frame.depth is None for frame in frames)


def test_depth_is_paired_by_time_and_read_in_meters(tum: Path) -> None:
    frames = list(open_sequence(tum, "rgbd"))
    # The third depth image is off by 30 ms.
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 1]
    assert [float(frame.depth[0, 0]) for frame in frames if frame.depth is not None] == [0.0, 2.0]
    assert frames[1].depth is not None
    assert frames[1].depth.dtype == np.float32


def test_depth_scale_defaults_to_that_of_the_benchmark(tum: Path) -> None:
    (tum / "depth_scale.txt").unlink()
    depth = list(open_sequence(tum, "rgbd"))[1].depth
    assert depth is not None
    assert float(depth[0, 0]) == pytest.approx(0.4)


@pytest.mark.parametrize(("digits", "unit"), [(3, "milliseconds"), (6, "microseconds"), (9, "nanoseconds")])
def test_stamps_since_1970_in_another_unit_are_recognized(tum: Path, digits: int, unit: str) -> None:
    for name in ("rgb.txt", "depth.txt"):
        rows = [row.split() for row in (tum / name).read_text().splitlines()[1:]]
        (tum / name).write_text("".join(f"{float(t) * 10**digits:.0f} {path}\n" for t, path in rows))
    sequence = open_sequence(tum, "rgbd")
    seconds = [entry.stamp_ns / 1e9 for entry in sequence.entries]
    np.testing.assert_allclose(seconds, [1305031453.359684, 1305031453.459684], rtol=0, atol=1e-3)
    assert sequence.notes[:2] == (f"rgb.txt has stamps in {unit}", f"depth.txt has stamps in {unit}")


def test_lists_as_windows_and_spreadsheets_write_them(tum: Path) -> None:
    for name in ("rgb.txt", "depth.txt"):
        rows = (tum / name).read_text().replace("# ", "").replace(" ", ",")  # a header without #
        (tum / name).write_bytes(b"\xef\xbb\xbf" + rows.replace("\n", "\r\n").encode())
    assert len(list(open_sequence(tum, "rgbd"))) == 2


@pytest.mark.parametrize("name", ["associations.txt", "rgb.txt"])
@pytest.mark.parametrize("depth_first", [False, True])
def test_associations(tum: Path, name: str, depth_first: bool) -> None:
    lists = [(tum / listing).read_text().splitlines()[1:] for listing in ("rgb.txt", "depth.txt")]
    for listing in ("rgb.txt", "depth.txt"):
        (tum / listing).unlink()
    (tum / name).write_text("".join(f"{a} {b}\n" for a, b in zip(*lists[:: -1 if depth_first else 1], strict=True)))
    frames = list(open_sequence(tum, "rgbd"))
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 1]
    assert [float(frame.depth[0, 0]) for frame in frames if frame.depth is not None] == [0.0, 2.0]
    assert [int(frame.image[0, 0]) for frame in open_sequence(tum, "mono")] == [0, 1, 2]


def test_list_with_spaces_in_names_or_more_columns(tum: Path) -> None:
    (tum / "rgb").rename(tum / "color images")
    listing = tum / "rgb.txt"
    listing.write_text(listing.read_text().replace("rgb/", "color images/"))
    assert len(open_sequence(tum, "rgbd")) == 2
    (tum / "color images").rename(tum / "rgb")
    listing.write_text(listing.read_text().replace("color images/", "rgb/").replace(".png", ".png 0.01"))
    assert len(open_sequence(tum, "rgbd")) == 2


def test_pairing_of_depth_is_reported(tum: Path) -> None:
    assert open_sequence(tum, "rgbd").notes == (
        "depth images are paired with images up to 15 ms away",
        "1 of 3 images have no depth image within 20 ms: left out",
    )


def test_depth_scale_given_by_the_user_comes_first(tum: Path) -> None:
    depth = list(open_sequence(tum, "rgbd", depth_scale=500.0))[1].depth
    assert depth is not None
    assert float(depth[0, 0]) == 4.0


def test_depth_of_eight_bits_is_refused(tum: Path, write_image: Callable[..., None]) -> None:
    write_image(tum / "depth" / "1305031453.364684.png")
    with pytest.raises(SequenceError, match=r"364684.png has 8 bits.*16 bits"):
        next(iter(open_sequence(tum, "rgbd")))


def test_depth_of_floating_point_is_in_meters(tum: Path) -> None:
    listing = tum / "depth.txt"
    listing.write_text(listing.read_text().replace(".png", ".tiff"))
    for image in list((tum / "depth").iterdir()):
        assert cv2.imwrite(str(image.with_suffix(".tiff")), np.full((48, 64), 1.5, np.float32))
    depths = [frame.depth for frame in open_sequence(tum, "rgbd")]
    assert [float(depth[0, 0]) for depth in depths if depth is not None] == [1.5, 1.5]
    assert decoding_notes(open_sequence(tum, "rgbd")) == ["depth in meters, median 1.5 m in 1305031453.364684.tiff"]


def test_depth_unit_and_its_origin_are_reported(tum: Path, write_image: Callable[..., None]) -> None:
    write_image(tum / "depth" / "1305031453.364684.png", 3000, dtype=np.uint16)
    said = "depth in 1000 counts a meter (depth_scale.txt), median 3 m in 1305031453.364684.png"
    assert decoding_notes(open_sequence(tum, "rgbd")) == [said]
    (tum / "depth_scale.txt").unlink()
    (remark,) = decoding_notes(open_sequence(tum, "rgbd"))
    assert all(words in remark for words in ("5000 counts", "assumed as in the TUM benchmark", "0.6 m"))


def test_depth_without_a_unit_is_warned_about(tum: Path, write_image: Callable[..., None]) -> None:
    """Except for sequences of the benchmark, whose unit is known, and floating point, which is in meters."""
    depth = tum / "depth" / "1305031453.364684.png"
    write_image(depth, 1500, dtype=np.uint16)
    assert depth_unit_warning(open_sequence(tum, "rgbd")) is None
    (tum / "depth_scale.txt").unlink()
    assert depth_unit_warning(open_sequence(tum, "rgbd", depth_scale=1000.0)) is None
    assert depth_unit_warning(open_sequence(tum, "mono")) is None
    warning = depth_unit_warning(open_sequence(tum, "rgbd"))
    assert warning is not None
    assert "depths from 0.3 m on" in warning
    assert "set --depth-scale 1000" in warning
    write_image(depth, 4500, dtype=np.uint16)
    warning = depth_unit_warning(open_sequence(tum, "rgbd"))
    assert warning is not None
    assert "nothing tells the unit of the depth" in warning
    benchmark = tum.rename(tum.parent / "rgbd_dataset_freiburg1_desk")
    assert depth_unit_warning(open_sequence(benchmark, "rgbd")) is None


def test_saturated_depth_is_unknown(tum: Path, write_image: Callable[..., None]) -> None:
    write_image(tum / "depth" / "1305031453.364684.png", 65535, dtype=np.uint16)
    depth = open_sequence(tum, "rgbd")[0].depth
    assert depth is not None
    assert not depth.any()


def test_ground_truth(tum: Path) -> None:
    truth = open_sequence(tum, "mono").ground_truth
    assert truth is not None
    np.testing.assert_allclose(truth.positions[:, 0], [0, 1, 2])
    (tum / "groundtruth.txt").unlink()
    assert open_sequence(tum, "mono").ground_truth is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rgb.txt", "# nothing\n", "must list"),
        ("rgb.txt", "1.0\n", "must list"),
        ("rgb.txt", "1305031453,36 rgb/none.png\n", "the stamp with a decimal point"),
        ("rgb.txt", "1305031453.36 rgb/none.png\n", "none.png is missing"),
        ("rgb.txt", f"1305031453.36 {'a' * 5000}.png\n", "is missing"),
        ("rgb.txt", "130503145335 rgb/none.png\n", "rgb.txt has '130503145335'.*looks like milliseconds"),
        ("depth.txt", "1 rgb/none.png\n103 rgb/none.png\n", r"depth.txt has stamps that are 102 apart .*milliseconds"),
        ("depth_scale.txt", "inf\n", "not the counts in a meter"),
        ("camera.yaml", "[" * 5000, "no valid YAML"),
        ("camera.yaml", "a: &a [1]\nb: *a\n", "no valid YAML: it has an alias"),
        ("camera.yaml", "a: 2024-99-99\n", "no valid YAML"),
        ("depth.txt", "9.0 depth/1305031453.364684.png\n", "within 20 ms"),
        ("depth_scale.txt", "many\n", "one number"),
        ("depth_scale.txt", "0.001\n", "not the counts in a meter: 1000 for millimeters"),
        ("camera.yaml", "a: [1\n", "no valid YAML"),
        ("camera.yaml", "words\n", "no calibration"),
        ("camera.yaml", "image_width: 64\n", "has no camera_matrix"),
    ],
)
def test_the_error_names_an_invalid_file_and_fault(tum: Path, name: str, text: str, message: str) -> None:
    (tum / name).write_text(text)
    with pytest.raises(SequenceError, match=message):
        open_sequence(tum, "rgbd")


def test_the_error_of_a_missing_calibration_names_path_and_format(tum: Path) -> None:
    (tum / "camera.yaml").unlink()
    with pytest.raises(SequenceError, match=r"camera.yaml cannot be read.*camera_calibration"):
        open_sequence(tum, "mono")


@pytest.mark.parametrize("size", [float("inf"), 10**400, "wide"])
def test_size_that_is_no_number_of_pixels(tum: Path, write_calibration: Callable[..., None], size: object) -> None:
    write_calibration(tum / "camera.yaml", image_width=size)
    with pytest.raises(SequenceError, match=r"camera.yaml is no usable calibration"):
        open_sequence(tum, "mono")


def test_depth_that_is_infinite_is_unknown(tum: Path) -> None:
    path = tum / "depth" / "1305031453.474684.png"
    listing = tum / "depth.txt"
    listing.write_text(listing.read_text().replace(path.name, "far.tiff"))
    assert cv2.imwrite(str(path.with_name("far.tiff")), np.full((48, 64), np.inf, np.float32))
    depth = list(open_sequence(tum, "rgbd"))[1].depth
    assert depth is not None
    assert not depth.any()


def test_an_impossible_calibration_is_refused(tum: Path, write_calibration: Callable[..., None]) -> None:
    write_calibration(tum / "camera.yaml", distortion_model="magic", distortion_coefficients={"data": [0.1]})
    with pytest.raises(SequenceError, match=r"camera.yaml is no usable calibration.*magic"):
        open_sequence(tum, "mono")


def test_color_depth_image_is_refused(tum: Path) -> None:
    cv2.imwrite(str(tum / "depth" / "1305031453.364684.png"), np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(SequenceError, match="3 channels"):
        next(iter(open_sequence(tum, "rgbd")))


def test_stereo_is_refused(tum: Path) -> None:
    with pytest.raises(SequenceError, match="no right camera"):
        open_sequence(tum, "stereo")


def test_recorded_sequence(recorded: Callable[[str], Path]) -> None:
    sequence = open_sequence(recorded("tum/fr1_desk"), "rgbd")
    frame = next(iter(sequence))
    assert len(sequence) == 9
    assert sequence.camera.distortion_model == "plumb_bob"
    assert frame.depth is not None
    assert 0.3 < float(np.median(frame.depth[frame.depth > 0])) < 3.0
