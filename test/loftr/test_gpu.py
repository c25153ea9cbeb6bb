"""The path for GPUs on a GPU, against single precision there."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.cuda_graphs import CudaGraphCache
from loftr_ros.loftr.runtime.device import MatcherError, OutOfMemory, find_device, limit_memory
from loftr_ros.loftr.runtime.inference import FastNetwork
from loftr_ros.loftr.runtime.matcher import LoftrMatcher
from loftr_ros.loftr.weights.checkpoints import load_model
from loftr_ros.matches import Matches

Gray = NDArray[np.uint8]

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")


@pytest.fixture
def gpu() -> torch.device:
    return find_device("auto")


@pytest.fixture
def without_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself torch rounds the factors of convolutions of float32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def pair() -> tuple[Gray, Gray]:
    """640 x 480, (16, 8) pixels apart."""
    rng = np.random.default_rng(5)
    image = sum(cv2.resize(rng.random((500 // size, 660 // size)), (656, 488)) for size in (4, 10, 40))
    gray = np.asarray(255 * image / np.max(image), np.uint8)
    return gray[:480, :640].copy(), gray[8:, 16:].copy()


@pytest.fixture(params=["compact", "outdoor"])
def model(request: pytest.FixtureRequest, pair: tuple[Gray, Gray]) -> LoFTR:
    if request.param == "compact":
        return load_model("compact")
    torch.manual_seed(0)
    model = LoFTR(preset("outdoor"))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all images, which are one
    with torch.no_grad():
        model.backbone(torch.from_numpy(pair[0][:240, :320])[None, None] / 255)
        model.backbone.layer3_outconv.weight *= 2  # so that places differ more than positions
        model.backbone.layer1_outconv2[3].weight *= 3
    return model.eval()


def match(matcher: LoftrMatcher, pair: tuple[Gray, Gray]) -> Matches:
    return matcher.match(*map(matcher.extract, pair))


@pytest.mark.usefixtures("without_tf32")
def test_same_matches_as_in_float32(model: LoFTR, pair: tuple[Gray, Gray], gpu: torch.device) -> None:
    exact, fast = LoftrMatcher(model, gpu, "", precision="float32"), LoftrMatcher(model, gpu, "")
    expected, found = match(exact, pair), match(fast, pair)
    assert fast.fallback is None
    assert isinstance(fast.network, FastNetwork)
    assert len(expected) > 500
    _, i, j = np.intersect1d(expected.cell_a, found.cell_a, return_indices=True)
    distance = np.linalg.norm(expected.points_b[i] - found.points_b[j], axis=1)
    assert (distance < 4.0).sum() >= 0.99 * len(np.union1d(expected.cell_a, found.cell_a))
    assert np.median(distance) <= 0.05


def test_warm_up_finds_no_fault(model: LoFTR, gpu: torch.device, caplog: pytest.LogCaptureFixture) -> None:
    """The fast path is recorded, and agrees with the plain one at several sizes, with a mask and with few matches."""
    for height, width in ((480, 640), (720, 1280), (120, 160)):
        for max_matches in (0, 300):
            matcher = LoftrMatcher(model, gpu, "", ComputeBudget(max_matches=max_matches))
            mask = np.ones((height, width), np.uint8)
            mask[:, : width // 4] = 0
            matcher.warm_up(height, width)
            matcher.warm_up(height, width, mask)
            assert matcher.fallback is None
            assert isinstance(matcher.network, FastNetwork)
            assert matcher.network.graphs.enabled
    assert not caplog.records


def test_what_cannot_be_recorded_does_no_harm(gpu: torch.device, caplog: pytest.LogCaptureFixture) -> None:
    """A function that synchronizes is called directly, and another one is captured after that."""

    def asks(x: torch.Tensor) -> list[torch.Tensor]:
        return [x * float(x.sum())]

    def asks_not(x: torch.Tensor) -> list[torch.Tensor]:
        return [x * x.sum()]

    for function, recorded in ((asks, False), (asks_not, True)):
        graphs = CudaGraphCache(gpu)
        for value in (1.0, 2.0):
            (found,) = graphs(function, [torch.full((3,), value).pin_memory()])
            assert found.tolist() == [3 * value**2] * 3
        assert graphs.enabled is recorded
        assert len(caplog.records) == 1
        torch.cuda.empty_cache()  # fails where torch takes a recording to be underway


def test_replayed_is_the_same_as_called(model: LoFTR, pair: tuple[Gray, Gray], gpu: torch.device) -> None:
    """In turns with other sizes, other numbers of matches and masks, so that recordings share their memory."""
    fast, called = LoftrMatcher(model, gpu, ""), LoftrMatcher(model, gpu, "")
    assert isinstance(fast.network, FastNetwork)
    assert isinstance(called.network, FastNetwork)
    called.network.graphs.enabled = False
    small = tuple(np.ascontiguousarray(image[:240, :320]) for image in pair)
    mask = np.ones(pair[0].shape, np.uint8)
    mask[:, :100] = 0
    kinds = [(pair, 0, None), (small, 0, None), (pair, 0, mask), (pair, 200, None)]
    for images, max_matches, used in 3 * kinds:
        results = []
        for matcher in (fast, called):
            matcher.budget = ComputeBudget(max_matches=max_matches)
            results.append(matcher.match(matcher.extract(images[0], used), matcher.extract(images[1])))
        found, expected = results
        assert fast.network.graphs.enabled, "recording works"
        assert len(expected) > 100
        _, i, j = np.intersect1d(found.cell_a, expected.cell_a, return_indices=True)
        # Which of nearly equal confidences are among the largest hangs on the last bit.
        assert len(i) >= (0.9 if max_matches else 0.995) * max(len(found), len(expected))
        assert np.median(np.abs(found.points_b[i] - expected.points_b[j])) < 1e-3


@pytest.fixture
def small_gpu(gpu: torch.device) -> Iterator[torch.device]:
    """A GPU with 500 MiB more than is in use."""
    torch.cuda.empty_cache()
    limit_memory(gpu, torch.cuda.memory_reserved(gpu) // 2**20 + 500)
    yield gpu
    limit_memory(gpu, 0)


def test_out_of_memory_goes_on_smaller(small_gpu: torch.device) -> None:
    image = np.random.default_rng(0).integers(0, 255, (2048, 2048), np.uint8)
    matcher = LoftrMatcher(load_model("compact"), small_gpu, "", ComputeBudget(image.size))
    with pytest.raises(OutOfMemory, match="max_pixels"):
        match(matcher, (image, image))
    while True:
        try:
            found = match(matcher, (image, image))
            break
        except OutOfMemory:
            assert matcher.budget.max_pixels > 10_000, "half of it would have been enough long before"
    assert len(found) > 100


def test_limit_beyond_the_device(gpu: torch.device) -> None:
    with pytest.raises(MatcherError, match="limit of GPU memory is 1000000000 MiB, but cuda:0 has"):
        limit_memory(gpu, 10**9)
