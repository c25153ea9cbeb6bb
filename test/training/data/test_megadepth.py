"""Pairs of MegaDepth, from files written here in the layout of LoFTR's authors."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from loftr_ros.training.data.megadepth import MegaDepth, MegaDepthError
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.scenes import ViewPair, random_pairs
from loftr_ros.training.data.source_config import MegaDepthConfig
from loftr_ros.training.data.textures import TextureAtlas

h5py = pytest.importorskip("h5py", reason="h5py is not installed: no depths of MegaDepth can be read")

CPU = torch.device("cpu")
SIZES = ((64, 96), (96, 80), (64, 64))


@pytest.fixture
def dataset(tmp_path: Path, patterns: TextureAtlas) -> Path:
    """Two scenes of one pair each, and a picture without depth; every image has a size of its own."""
    (tmp_path / "index").mkdir()
    for scene in range(2):
        pairs = random_pairs(Draw(scene, CPU), patterns, 1, (96, 96))
        _, _, K_a, K_b, T_b_a = pairs.geometry
        T_b_a = T_b_a[0].double().numpy()
        K = [_write_view(tmp_path, f"{scene}/{i}", *view) for i, view in enumerate(((pairs.a, K_a), (pairs.b, K_b)))]
        _write_index(
            tmp_path / "index" / f"000{scene}_0.1_0.7.npz",
            image_paths=[f"Undistorted_SfM/{scene}/{i}.png" for i in range(2)] + [None],
            depth_paths=[f"phoenix/{scene}/{i}.h5" for i in range(2)] + [None],
            intrinsics=[*K, None],
            poses=[np.eye(4), T_b_a, None],
            pair_infos=[((0, 1), 0.4, np.zeros((5, 2))), ((0, 2), 0.05, None), ((2, 1), 0.8, None)],
        )
    return tmp_path


def _write_view(folder: Path, name: str, view: Any, K: torch.Tensor) -> np.ndarray:
    """Write a part of a view; returns its camera matrix as COLMAP has it."""
    height, width = SIZES[int(name[-1])]
    image = folder / "Undistorted_SfM" / f"{name}.png"
    depth = folder / "phoenix" / f"{name}.h5"
    for path in (image, depth):
        path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(image), (view.image[0, 0, :height, :width] * 255).round().byte().numpy())
    with h5py.File(depth, "w") as file:
        file["depth"] = view.depth[0, :height, :width].nan_to_num(posinf=0).numpy()
    K = K[0].double().numpy().copy()
    K[:2, 2] += 0.5
    return K


def _write_index(path: Path, **content: list[Any]) -> None:
    arrays = {}
    for name, values in content.items():
        arrays[name] = np.empty(len(values), object)
        arrays[name][:] = values
    np.savez(path, **arrays)


def opened(folder: Path, **settings: Any) -> MegaDepth:
    return MegaDepth.open(MegaDepthConfig(images=str(folder), index=str(folder / "index"), **settings))


def test_images_agree_with_the_ground_truth(dataset: Path, unexplained: Callable[[ViewPair], float]) -> None:
    pairs = opened(dataset).draw(Draw(0, CPU), 8, (64, 64))
    assert unexplained(pairs) < 0.2
    assert not torch.equal(pairs.geometry[2], pairs.geometry[3])


def test_center_of_a_pixel_is_an_integer(dataset: Path) -> None:
    """COLMAP counts from the corner of the image: half a pixel less."""
    source = opened(dataset)
    K = source._load((source.scenes[0], 0)).K
    assert K[:2, 2] == pytest.approx(np.asarray(source.scenes[0].intrinsics[0])[:2, 2] - 0.5)


def test_scenes_and_both_orders_are_drawn(dataset: Path) -> None:
    source = opened(dataset)
    assert [scene.pairs.tolist() for scene in source.scenes] == [[[0, 1]], [[0, 1]]]
    T_b_a = source.draw(Draw(0, CPU), 30, (64, 64)).T_b_a
    assert len({tuple(pose.flatten().tolist()) for pose in T_b_a}) == 4


def test_overlap_selects_pairs(dataset: Path) -> None:
    assert opened(dataset, min_overlap=0.0).scenes[0].pairs.tolist() == [[0, 1], [0, 2]]
    with pytest.raises(MegaDepthError, match=r"no \.npz file with pairs that overlap by 0\.5 to 0\.7"):
        opened(dataset, min_overlap=0.5)


def test_list_of_scenes(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (dataset / "train.txt").write_text("0001_0.1_0.7\n")
    monkeypatch.setenv("MEGADEPTH", str(dataset))
    scenes = opened(dataset, scenes="$MEGADEPTH/train.txt").scenes
    assert [scene.images[0] for scene in scenes] == ["Undistorted_SfM/1/0.png"]
    with pytest.raises(MegaDepthError, match=r"nothing\.txt cannot be read"):
        opened(dataset, scenes="nothing.txt")


def _other_size(dataset: Path) -> None:
    for path in dataset.glob("phoenix/*/*.h5"):
        with h5py.File(path, "w") as file:
            file["depth"] = np.ones((10, 10))


def _no_depth(dataset: Path) -> None:
    for path in dataset.glob("phoenix/*/*.h5"):
        with h5py.File(path, "w") as file:
            file["other"] = 1


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda dataset: (dataset / "index/0000_0.1_0.7.npz").write_bytes(b"nothing"), "not a MegaDepth index"),
        (lambda dataset: np.savez(dataset / "index/0000_0.1_0.7.npz", poses=np.eye(4)), "not a MegaDepth index"),
        (lambda dataset: [path.unlink() for path in dataset.glob("phoenix/*/*.h5")], "cannot be read as an HDF5"),
        (_no_depth, "cannot be read as an HDF5"),
        (_other_size, "is 10x10 pixels, but its image"),
    ],
    ids=["damaged index", "incomplete index", "no file", "no depth", "other size"],
)
def test_what_cannot_be_used(dataset: Path, damage: Callable[[Path], object], words: str) -> None:
    damage(dataset)
    with pytest.raises(MegaDepthError, match=words) as caught:
        opened(dataset).draw(Draw(0, CPU), 4, (64, 64))
    assert "\n" not in str(caught.value)


def test_pair_with_an_image_without_depth(dataset: Path) -> None:
    with pytest.raises(MegaDepthError, match="image 2 of a scene, but no image or depth file"):
        opened(dataset, min_overlap=0.0, max_overlap=0.1).draw(Draw(0, CPU), 2, (64, 64))


def test_without_h5py(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MegaDepthError, match=r"pip install 'loftr_ros\[train\]'"):
        opened(dataset)
