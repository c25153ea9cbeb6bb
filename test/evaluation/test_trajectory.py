from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loftr_ros.evaluation.trajectory import (
    Trajectory,
    TrajectoryError,
    read_kitti,
    read_times,
    read_trajectory,
    read_tum,
    write_kitti,
    write_tum,
)

Wandering = Callable[..., Trajectory]


def test_tum_file_is_read_back(tmp_path: Path, wandering: Wandering) -> None:
    trajectory = wandering()
    write_tum(tmp_path / "t.tum", trajectory)
    assert (tmp_path / "t.tum").read_text().startswith("1403715273.262142976 ")
    back = read_tum(tmp_path / "t.tum")
    np.testing.assert_allclose(back.poses, trajectory.poses, atol=1e-8)
    assert np.abs(back.stamps_ns - trajectory.stamps_ns).max() < 1000


def test_tum_file_as_windows_and_spreadsheets_write_it(tmp_path: Path) -> None:
    content = "timestamp,tx,ty,tz,qx,qy,qz,qw\r\n1.5,1,2,3,0,0,0,1\r\n2.5,4,5,6,0,0,0,1\r\n"
    (tmp_path / "truth.tum").write_bytes(b"\xef\xbb\xbf" + content.encode())
    trajectory = read_tum(tmp_path / "truth.tum")
    assert trajectory.stamps_ns.tolist() == [1_500_000_000, 2_500_000_000]
    np.testing.assert_array_equal(trajectory.positions, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("name", ["trajectory.live.tum", "drive.live.txt", "drive.live"])
def test_row_that_a_killed_program_did_not_finish(tmp_path: Path, name: str, wandering: Wandering) -> None:
    """Wherever it ends, also within its last number; in other files a last line needs no end."""
    path, other = tmp_path / name, tmp_path / "other.tum"
    write_tum(path, wandering(3))
    rows = path.read_text().splitlines(keepends=True)
    for length in (1, 10, len(rows[2]) - 5, len(rows[2]) - 1):
        path.write_text("".join(rows[:2]) + rows[2][:length])
        assert len(read_tum(path)) == 2
    path.write_text("".join(rows))
    other.write_text("".join(rows).rstrip("\n"))
    assert [len(read_tum(file)) for file in (path, other)] == [3, 3]


def test_stamps_before_1970_are_read_back(tmp_path: Path) -> None:
    write_tum(tmp_path / "t.tum", Trajectory(np.array([-500_000_000, 0]), np.tile(np.eye(4), (2, 1, 1))))
    assert read_tum(tmp_path / "t.tum").stamps_ns.tolist() == [-500_000_000, 0]


def test_kitti_file_is_read_back(tmp_path: Path, wandering: Wandering) -> None:
    trajectory = wandering()
    write_kitti(tmp_path / "t.txt", trajectory)
    back = read_kitti(tmp_path / "t.txt", trajectory.stamps_ns)
    np.testing.assert_allclose(back.poses, trajectory.poses, atol=1e-8)


def test_format_is_found_out(tmp_path: Path, wandering: Wandering) -> None:
    trajectory = wandering()
    write_tum(tmp_path / "t.tum", trajectory)
    write_kitti(tmp_path / "t.txt", trajectory)
    (tmp_path / "times.txt").write_text("".join(f"{0.1 * i:e}\n" for i in range(20)))
    tum = read_trajectory(tmp_path / "t.tum")
    kitti = read_trajectory(tmp_path / "t.txt", tmp_path / "times.txt")
    np.testing.assert_allclose(tum.poses, kitti.poses, atol=1e-8)
    assert kitti.stamps_ns.tolist() == [100_000_000 * i for i in range(20)]


def test_kitti_poses_need_stamps(tmp_path: Path, wandering: Wandering) -> None:
    write_kitti(tmp_path / "t.txt", wandering())
    with pytest.raises(TrajectoryError, match=r"t\.txt holds KITTI poses, .* --times"):
        read_trajectory(tmp_path / "t.txt")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "TUM"),
        ("1 2 3\n", "TUM"),
        ("0 0 0 0 0 0 0 1\n1 0 0\n", "columns"),
        ("a b c d e f g h\n", "convert"),
        ("0 0 0 0 0 0 0 0\n", "zero length"),
        ("0 0 0 0 0 0 0 1\n0 nan 0 0 0 0 0 1\n", "row 2"),
        ("1 0 0 0 0 0 0 1\n3 0 0 0 0 0 0 1\n2 0 0 0 0 0 0 1\n", "stamp 3"),
        ("1 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1\n", "stamp 2"),
        ("1e18 0 0 0 0 0 0 1\n", "looks like nano"),
        ("1e300 0 0 0 0 0 0 1\n", "stamps are in"),
        ("1 1e300 0 0 0 0 0 1\n", "pose 1 holds no"),
        (f"{'9' * 5000} 0 0 0 0 0 0 1 x\n", "convert"),
        ("x" * 5000, "convert"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_file_that_is_no_trajectory(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "t.tum").write_text(text)
    for read in (read_tum, read_trajectory):
        with pytest.raises(TrajectoryError, match=rf"t\.tum .*{reason}.*[^.;]\.$"):
            read(tmp_path / "t.tum")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrajectoryError, match=r"t\.tum cannot be read: No such file"):
        read_trajectory(tmp_path / "t.tum")


@pytest.mark.parametrize("pose", ["0 0 0 0 0 0 0 0 0 0 0 0", "1 0 0 0 0 1 0 0 0 0 -1 0", "1 1 0 0 0 1 0 0 0 0 1 0"])
def test_kitti_rows_that_are_no_poses(tmp_path: Path, pose: str) -> None:
    (tmp_path / "t.txt").write_text(f"1 0 0 0 0 1 0 0 0 0 1 0\n{pose}\n")
    with pytest.raises(TrajectoryError, match="pose 2 holds no rotation"):
        read_kitti(tmp_path / "t.txt", np.arange(2))


def test_too_few_stamps(tmp_path: Path, wandering: Wandering) -> None:
    write_kitti(tmp_path / "t.txt", wandering())
    with pytest.raises(TrajectoryError, match="20 poses"):
        read_kitti(tmp_path / "t.txt", np.arange(3))


@pytest.mark.parametrize("text", ["0 1\n", "0\n2\n1\n", "zero\n"])
def test_a_file_that_is_no_list_of_stamps(tmp_path: Path, text: str) -> None:
    (tmp_path / "times.txt").write_text(text)
    with pytest.raises(TrajectoryError, match=r"times\.txt"):
        read_times(tmp_path / "times.txt")
