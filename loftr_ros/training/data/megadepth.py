"""Training pairs of MegaDepth (Li and Snavely, CVPR 2018) with the index files of LoFTR's authors.

The index has one `.npz` file per scene: `image_paths`, `depth_paths` (below the folder of images; HDF5 files with the
dataset `depth`), `intrinsics` (3 x 3), `poses` (T_camera_world), and `pair_infos`: two indices, the overlap, and more.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import LoftrRosError
from loftr_ros.sequences.images import read_grey
from loftr_ros.training.data.plain_arrays import read_plain_npz
from loftr_ros.training.data.posed_images import PosedImage, load_pairs
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.scenes import ViewPair
from loftr_ros.training.data.source_config import MegaDepthConfig


class MegaDepthError(LoftrRosError):
    """MegaDepth files are missing or unusable."""


@dataclass(frozen=True)
class MegaDepthScene:
    """N images of one scene.

    Attributes:
        images, depths: paths relative to the image folder; None for missing ones.
        intrinsics: (3, 3) camera matrices, with (0, 0) at the image corner as in COLMAP.
        poses: (4, 4) T_camera_world.
        pairs: (P, 2) int64, indices of the images of a pair.
    """

    images: tuple[str | None, ...]
    depths: tuple[str | None, ...]
    intrinsics: tuple[Any, ...]
    poses: tuple[Any, ...]
    pairs: NDArray[np.int64]


@dataclass(frozen=True)
class MegaDepth:
    """All scenes; each is sampled with the same probability, regardless of its number of pairs."""

    folder: Path
    scenes: tuple[MegaDepthScene, ...]

    @classmethod
    def open(cls, config: MegaDepthConfig) -> MegaDepth:
        """Read the index. Raises MegaDepthError."""
        _import_h5py()
        folder, index = (Path(os.path.expandvars(name)) for name in (config.images, config.index))
        paths = _listed(index, config.scenes) if config.scenes else sorted(index.glob("*.npz"))
        scenes = [_read_scene(path, config) for path in paths]
        used = tuple(scene for scene in scenes if len(scene.pairs))
        if not used:
            raise MegaDepthError(
                f"{index} has no .npz file with pairs that overlap by {config.min_overlap} to {config.max_overlap}"
            )
        return cls(folder, used)

    def draw(self, draw: Draw, batch: int, size: tuple[int, int], difficulty: float = 1.0) -> ViewPair:
        """Draw a scene for each pair, and one of its pairs, in random order."""
        del difficulty  # always the same
        first, second = [], []
        scenes, places = draw.integers(len(self.scenes), batch), draw.uniform(0, 1, batch)
        swapped = draw.chance(0.5, batch)
        for i, place, swap in zip(scenes.tolist(), places.tolist(), swapped.tolist(), strict=True):
            scene = self.scenes[i]
            a, b = scene.pairs[int(place * len(scene.pairs))].tolist()
            first.append((scene, b if swap else a))
            second.append((scene, a if swap else b))
        return load_pairs(self._load, first, second, size, draw.device)

    def _load(self, key: tuple[MegaDepthScene, int]) -> PosedImage:
        scene, index = key
        image_name, depth_name = scene.images[index], scene.depths[index]
        if image_name is None or depth_name is None:
            raise MegaDepthError(
                f"the index has a pair with image {index} of a scene, but no image or depth file for it"
            )
        image = read_grey(self.folder / image_name)
        depth = _read_depth(self.folder / depth_name)
        if image.shape != depth.shape:
            raise MegaDepthError(
                f"{self.folder / depth_name} is {depth.shape[1]}x{depth.shape[0]} pixels, but its image "
                f"{image.shape[1]}x{image.shape[0]}: use the images of Undistorted_SfM and the depths of phoenix"
            )
        K = np.array(scene.intrinsics[index], np.float64).reshape(3, 3)
        K[:2, 2] -= 0.5  # from the corner of the top-left pixel to its center
        return PosedImage(image, depth, K, np.linalg.inv(np.array(scene.poses[index], np.float64)))


def _listed(index: Path, names: str) -> list[Path]:
    path = Path(os.path.expandvars(names))
    try:
        return [index / f"{name.removesuffix('.npz')}.npz" for name in path.read_text().split()]
    except (OSError, UnicodeDecodeError) as error:
        raise MegaDepthError(f"the list of scenes {path} cannot be read: {error}") from error


def _read_scene(path: Path, config: MegaDepthConfig) -> MegaDepthScene:
    try:
        content = read_plain_npz(path)
        pairs = [
            (int(i), int(j))
            for (i, j), overlap, *_ in content["pair_infos"]
            if config.min_overlap <= overlap <= config.max_overlap
        ]
        return MegaDepthScene(
            images=tuple(content["image_paths"].tolist()),
            depths=tuple(content["depth_paths"].tolist()),
            intrinsics=tuple(content["intrinsics"]),
            poses=tuple(content["poses"]),
            pairs=np.array(pairs, np.int64).reshape(-1, 2),
        )
    except Exception as error:  # a damaged archive may raise nearly any exception
        raise MegaDepthError(f"{path} is missing, damaged or not a MegaDepth index: {error}") from error


def _read_depth(path: Path) -> NDArray[np.float32]:
    h5py = _import_h5py()
    try:
        with h5py.File(path, "r") as file:
            return np.asarray(file["depth"], np.float32)
    except (OSError, KeyError) as error:
        raise MegaDepthError(f"{path} cannot be read as an HDF5 file with a dataset 'depth': {error}") from error


def _import_h5py() -> Any:
    try:
        return importlib.import_module("h5py")  # large, and only needed here
    except ImportError as error:
        raise MegaDepthError("the depth files of MegaDepth need h5py: pip install 'loftr_ros[train]'") from error
