"""The whole path for GPUs with the meta device in the GPU's place.

A GPU waits for the processor wherever a value is asked for or a tensor is fetched, and a CUDA graph can record neither.
Meta tensors have no values at all, so asking for one is an error; what is not allowed to leave or reach the device is
counted.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.inference import FastNetwork
from loftr_ros.loftr.runtime.matcher import Features, LoftrMatcher

META = torch.device("meta")
SIZE = (240, 320)
aten = torch.ops.aten


class StandIn(TorchDispatchMode):
    """Lets the meta device take copies from the processor and give zeros back, and fails where the two are mixed.

    Attributes:
        copies: uploads and downloads so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:  # what is made of other operations is looked at by those
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        given = {leaf.device.type for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        if func is aten._to_copy.default:
            target = torch.device(kwargs.get("device") or args[0].device).type
            if (args[0].device.type, target) == ("meta", "cpu"):
                self.copies["down"] += 1
                return torch.zeros(args[0].shape, dtype=args[0].dtype)
            self.copies["up"] += (args[0].device.type, target) == ("cpu", "meta")
        elif func is aten.copy_.default and given == {"cpu", "meta"}:
            assert args[0].is_meta, "a copy from the device"
            self.copies["up"] += 1
        else:
            assert len(given) <= 1, f"{func} is given tensors of the processor and of the device"
        return func(*args, **kwargs)


@pytest.fixture
def make_matcher() -> Callable[[str], LoftrMatcher]:
    def make(name: str) -> LoftrMatcher:
        with META:
            model = LoFTR(preset(name))
        return LoftrMatcher(model, META, name, ComputeBudget(192 * 256), precision="float16")

    return make


MASKS = [(False, False), (True, False), (False, True), (True, True)]  # of the two images


@pytest.mark.parametrize("name", ["compact", "outdoor", "indoor", "outdoor_ot", "indoor_ot"])
@pytest.mark.parametrize("masks", MASKS[:2])
def test_one_copy_each_way(make_matcher: Callable[[str], LoftrMatcher], name: str, masks: tuple[bool, bool]) -> None:
    """Of each image (and its mask) to the device, of each table of matches from it, and nothing else on the way."""
    matcher = make_matcher(name)
    assert isinstance(matcher.network, FastNetwork)
    matcher.network.graphs.enabled = False
    with StandIn() as device:
        features = extract(matcher, masks)
        assert device.copies == Counter(up=2 + sum(masks))
        assert len(matcher.match(*features)) == 0
        assert device.copies == Counter(up=2 + sum(masks), down=1)
    assert all(one.maps.coarse.is_meta for one in features)
    assert (matcher.precision, matcher.fallback) == ("float16", None)


@pytest.mark.parametrize("masks", MASKS)
def test_the_same_when_replayed(make_matcher: Callable[[str], LoftrMatcher], masks: tuple[bool, bool]) -> None:
    matcher = make_matcher("compact")
    with StandIn() as device:
        matcher.match(*extract(matcher, masks))
        device.copies.clear()
        matcher.match(*extract(matcher, masks))
        assert device.copies == Counter(up=2 + sum(masks), down=1)
    assert isinstance(matcher.network, FastNetwork)
    assert matcher.network.graphs.enabled, "it can be recorded"


def extract(matcher: LoftrMatcher, masks: tuple[bool, bool]) -> list[Features]:
    image, mask = np.zeros(SIZE, np.uint8), np.ones(SIZE, np.uint8)
    return [matcher.extract(image, mask if masked else None) for masked in masks]


@pytest.mark.parametrize("max_matches", [0, 100])
def test_table_has_a_fixed_size(make_matcher: Callable[[str], LoftrMatcher], max_matches: int) -> None:
    network = make_matcher("compact").network
    with torch.inference_mode(), StandIn():
        maps = network.extract(torch.zeros(SIZE, dtype=torch.uint8), None, 192, 256)
        assert network.match(maps, maps, max_matches).shape == (max_matches or 24 * 32, 4)


@pytest.mark.parametrize(
    "fault",
    [
        lambda x: bool(x.sum() > 0),
        lambda x: x.sum().item(),
        lambda x: torch.where(x > 0),
        lambda x: x[x > 0],
        lambda x: x + torch.zeros(3),
        lambda x: x.mul_(torch.tensor(2.0)),
        lambda x: x.cpu(),
        lambda x: x + torch.zeros(3).to(x.device),
    ],
    ids=["bool", "item", "where", "index", "mixed", "scalar", "fetched", "sent"],
)
def test_faults_are_found(
    make_matcher: Callable[[str], LoftrMatcher], monkeypatch: pytest.MonkeyPatch, fault: Callable[[Tensor], Any]
) -> None:
    """What waits for a GPU shows here, wherever it is."""
    matcher = make_matcher("compact")
    find = LoFTR.match_fixed

    def faulty(*arguments: Any) -> Any:
        found = find(*arguments)
        fault(torch.zeros(3, device=found.points_a.device))
        return found

    monkeypatch.setattr(LoFTR, "match_fixed", faulty)
    with StandIn() as device, pytest.raises((AssertionError, RuntimeError)):
        match_with_one_copy(matcher, device)


def test_no_fault_is_found_where_there_is_none(make_matcher: Callable[[str], LoftrMatcher]) -> None:
    with StandIn() as device:
        match_with_one_copy(make_matcher("compact"), device)


def match_with_one_copy(matcher: LoftrMatcher, device: StandIn) -> None:
    features = matcher.extract(np.zeros(SIZE, np.uint8))
    device.copies.clear()
    matcher.match(features, features)
    assert device.copies == Counter(down=1)
