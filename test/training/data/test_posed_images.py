"""Images of any size are brought to the size of the batch, and their cameras with them."""

import numpy as np
import pytest
import torch

from loftr_ros.training.data.posed_images import PosedImage, load_pairs

K = np.array([[80.0, 0, 63.5], [0, 82.0, 45.0], [0, 0, 1]])


def slanted(rows: int, columns: int, pose: np.ndarray | None = None) -> PosedImage:
    """Gray values grow by one a pixel to the right, depths by one a pixel downwards."""
    image = np.tile(np.arange(columns, dtype=np.uint8), (rows, 1))
    depth = np.tile(np.arange(rows, dtype=np.float32)[:, None], (1, columns))
    return PosedImage(image, depth, K, np.eye(4) if pose is None else pose)


@pytest.mark.parametrize("size", [(64, 64), (48, 64), (64, 200), (96, 128), (120, 160)])
def test_camera_belongs_to_the_fitted_image(size: tuple[int, int]) -> None:
    """The ray of a pixel shows what it showed before."""
    fitted = slanted(96, 128).fitted(size)
    assert fitted.image.shape == fitted.depth.shape == size
    v, u = size[0] // 3, size[1] // 3
    ray = np.linalg.inv(fitted.K) @ (u, v, 1)
    x, y, _ = K @ ray
    assert fitted.image[v, u] == pytest.approx(x, abs=0.8)
    assert fitted.depth[v, u] == pytest.approx(y, abs=0.8)


def test_same_size_is_left_alone() -> None:
    posed = slanted(64, 96)
    fitted = posed.fitted((64, 96))
    assert np.array_equal(fitted.image, posed.image)
    assert np.array_equal(fitted.depth, posed.depth)
    assert np.array_equal(fitted.K, K)


def test_depths_are_not_mixed() -> None:
    depth = np.where(np.arange(128) < 61, 1.0, 9.0).astype(np.float32) * np.ones((96, 1), np.float32)
    fitted = PosedImage(np.zeros((96, 128), np.uint8), depth, K, np.eye(4)).fitted((64, 88))
    assert set(np.unique(fitted.depth)) == {1.0, 9.0}


def test_pairs_keep_their_order_and_poses() -> None:
    """Two cameras a kilometer from the origin, one meter apart: nothing is lost in single precision."""
    poses = {name: np.eye(4) for name in "abcd"}
    for x, pose in enumerate(poses.values()):
        pose[:3, 3] = (1_000_000.0 + x**2, 0, 0)
    pairs = load_pairs(lambda name: slanted(64, 64 + ord(name), poses[name]), "ab", "cd", (64, 64), torch.device("cpu"))
    assert pairs.a.image.shape == (2, 1, 64, 64)
    assert pairs.b.depth.shape == (2, 64, 64)
    assert 0 < pairs.a.image.max() <= 1
    assert pairs.T_b_a[:, 0, 3].tolist() == [-4.0, -8.0]
    _, _, K_a, K_b, _ = pairs.geometry
    cropped = torch.tensor([ord(name) // 2 for name in "abcd"])
    torch.testing.assert_close(torch.cat([K_a, K_b])[:, 0, 2], 63.5 - cropped.float())


def test_error_of_a_file_is_passed_on() -> None:
    def load(name: str) -> PosedImage:
        raise ValueError(name)

    with pytest.raises(ValueError, match="broken"):
        load_pairs(load, ["broken"], ["broken"], (64, 64), torch.device("cpu"))
