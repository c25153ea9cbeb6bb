"""Small scenes with known geometry."""

from collections.abc import Iterator

import pytest
import torch

from loftr_ros.training.random import Draw
from loftr_ros.training.textures import TextureAtlas, pattern_atlas


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    """Small tensors gain nothing from threads, and other work on the machine loses."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def draw() -> Draw:
    return Draw(5, torch.device("cpu"))


@pytest.fixture(scope="session")
def patterns() -> TextureAtlas:
    """Four made textures."""
    return pattern_atlas(Draw(0, torch.device("cpu")), 4)


@pytest.fixture
def camera() -> torch.Tensor:
    """(1, 3, 3) camera matrix of 96 x 64 images."""
    return torch.tensor([[[80.0, 0, 47.5], [0, 80.0, 31.5], [0, 0, 1]]])
