"""Files of every kind, damaged: a reader takes them, or refuses them in one sentence that names the file."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from loftr_ros import plain_yaml
from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.ate import evaluate
from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError, read_trajectory, write_kitti, write_tum
from loftr_ros.loftr.network.config import LoFTRConfig, preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.weights.checkpoints import load_model, save_model
from loftr_ros.reports.run_log import read_scale_known
from loftr_ros.sequences.formats import open_sequence

SEEDS = st.integers(0, 2**48)
CORNERS = np.array([[0.0, 0.0], [63.0, 47.0]])


def assert_sentence(error: LoftrRosError) -> None:
    message = str(error)
    assert message
    assert message.isprintable()
    assert len(message) < 1000


class Damaged:
    """A file that is damaged for a case, and restored."""

    def __init__(self, path: Path, damage: Callable[..., bytes]) -> None:
        self.path, self._damage, self._content = path, damage, path.read_bytes()

    def use(self, seed: int, read: Callable[[], object]) -> None:
        rng = random.Random(seed)
        content = self._content
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            content = self._damage(content, rng) if content else content
        self.path.write_bytes(content)
        try:
            read()
        except LoftrRosError as error:
            assert_sentence(error)
        finally:
            self.path.write_bytes(self._content)


def read_sequence(root: Path, mode: Any) -> None:
    sequence = open_sequence(root, mode)
    for frame in sequence.readable([]):
        rays = frame.camera.normalize(CORNERS)
        if frame.rig is not None:
            assert np.isfinite(frame.rig.rectification).all()
            frame.rig.project(rays, np.ones(2))
        assert frame.depth is None or np.isfinite(frame.depth).all()
    if sequence.ground_truth is not None:
        assert np.isfinite(sequence.ground_truth.poses).all()
        stamps = np.array([entry.stamp_ns for entry in sequence.entries])
        standing = Trajectory(stamps, np.tile(np.eye(4), (len(stamps), 1, 1)))
        with suppress(TrajectoryError):  # it is of another time
            evaluate(standing, sequence.ground_truth, with_scale=True)


@pytest.mark.filterwarnings("error")
def test_sequences(fuzz: Callable[..., None], damaged_files: ModuleType, tmp_path: Path) -> None:
    files = []
    for (write, mode), names in damaged_files.SEQUENCES.items():
        place = tmp_path / f"{write.__name__}_{mode}"
        place.mkdir()
        root = write(place)
        files += [(root, mode, Damaged((root / name).resolve(), damaged_files.damaged)) for name in names]

    def check(case: tuple[int, int]) -> None:
        root, mode, file = files[case[0]]
        file.use(case[1], lambda: read_sequence(root, mode))

    fuzz(check, st.tuples(st.integers(0, len(files) - 1), SEEDS), quick=100)


@pytest.mark.filterwarnings("error")
def test_trajectories(fuzz: Callable[..., None], damaged_files: ModuleType, tmp_path: Path) -> None:
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, 0, 3] = np.arange(5)
    estimate = Trajectory(10**8 * np.arange(5), poses)
    tum, kitti, times = (tmp_path / name for name in ("truth.tum", "truth.kitti", "times.txt"))
    write_tum(tum, estimate)
    write_kitti(kitti, estimate)
    times.write_text("".join(f"{0.1 * i}\n" for i in range(5)))
    files = [Damaged(path, damaged_files.damaged) for path in (tum, kitti, times)]

    def read(path: Path) -> None:
        truth = read_trajectory(kitti if path == times else path, times)
        assert (np.diff(truth.stamps_ns) > 0).all()
        assert np.isfinite(truth.poses).all()
        with suppress(TrajectoryError):
            evaluate(estimate, truth, with_scale=True)

    def check(case: tuple[int, int]) -> None:
        files[case[0]].use(case[1], lambda: read(files[case[0]].path))

    fuzz(check, st.tuples(st.integers(0, 2), SEEDS), quick=120)


def test_run_json(fuzz: Callable[..., None], damaged_files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"summary": {"scale_known": True, "frames": 3}, "frames": [{"stamp_ns": 1}]}))
    file = Damaged(path, damaged_files.damaged)
    fuzz(lambda seed: file.use(seed, lambda: read_scale_known(tmp_path)), SEEDS, quick=100)


def test_yaml(fuzz: Callable[..., None], damaged_files: ModuleType) -> None:
    words = st.sampled_from(
        [*damaged_files.TOKENS.split(), "- ", "[", "]", "{", "}", ": ", "\n", "  ", ", ", "? ", "|", ">", "'"]
    )
    text = st.lists(words | st.text(max_size=4), max_size=40).map("".join)

    def check(text: str) -> None:
        with suppress(*plain_yaml.ERRORS):
            plain_yaml.load(text)

    fuzz(check, text, quick=100)


@pytest.mark.parametrize("kind", ["mcap", "db3", "bag"])
def test_bags(
    fuzz: Callable[..., None], damaged_files: ModuleType, bag_maker: type[Any], tmp_path: Path, kind: str
) -> None:
    bag = bag_maker(tmp_path / f"small.{kind}")
    for index in range(3):
        stamp = 1_700_000_000_000_000_000 + index * 10**8
        bag.info("/camera/camera_info", stamp)
        bag.image("/camera/image_raw", stamp, np.full((48, 64), index, np.uint8))
    path = bag.close_as_file()
    file = Damaged(path, damaged_files.damaged)
    fuzz(lambda seed: file.use(seed, lambda: read_sequence(path, "mono")), SEEDS, quick=15)


@pytest.mark.usefixtures("one_torch_thread")
def test_checkpoints(fuzz: Callable[..., None], damaged_files: ModuleType, tmp_path: Path) -> None:
    """The header of a file says how large the tensors are, so it is what is damaged; the rest are numbers."""
    path = tmp_path / "small.safetensors"
    save_model(path, LoFTR(preset("compact")))
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header, rest = content[8 : 8 + length], content[8 + length :]

    def check(seed: int) -> None:
        rng = random.Random(seed)
        broken = damaged_files.damaged(header, rng)
        size = len(broken) if rng.random() < 0.9 else rng.choice((0, 1, 2**31, 2**63, 2**64 - 1))
        path.write_bytes(struct.pack("<Q", size) + broken + rest)
        try:
            load_model(str(path))
        except LoftrRosError as error:
            assert_sentence(error)

    fuzz(check, SEEDS, quick=10)


NUMBERS = st.sampled_from(
    [0, 1, 2, 4, 7, 8, 16, 64, 2**31, 10**12, -1, 0.0, 0.1, 1e-300, 1e300, True, None, "a", [], {}, [1, 2, 3], ["self"]]
) | st.floats() | st.integers()  # fmt: skip


def test_network_configurations(fuzz: Callable[..., None]) -> None:
    """One that is accepted can be built, on the meta device, and is not large."""
    names = preset("compact").to_dict()

    def check(changes: list[tuple[str, str, Any]]) -> None:
        values = preset("compact").to_dict()
        for part, field, value in changes:
            if isinstance(values.get(part), dict) and values[part]:
                names_in = sorted(values[part])
                values[part][names_in[len(field) % len(names_in)]] = value
            else:
                values[part] = value
        try:
            config = LoFTRConfig.from_dict(values)
        except LoftrRosError as error:
            assert_sentence(error)
            return
        assert config.to_dict()

    change = st.tuples(st.sampled_from(sorted(names)), st.text(max_size=12), NUMBERS)
    fuzz(check, st.lists(change, min_size=1, max_size=3), quick=120)
