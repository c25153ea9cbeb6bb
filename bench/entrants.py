"""Who runs in the benchmark of speed: this package, and what else one could take, behind the same two methods."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from data import BenchError
from methods import FEATURES, orb, sift
from numpy.typing import NDArray
from torch import Tensor
from views import shifted_pair

from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.network.precision import Precision
from loftr_ros.loftr.runtime.inference import FastNetwork
from loftr_ros.loftr.runtime.matcher import LoftrMatcher, load_matcher
from loftr_ros.matches import Matcher, Matches

_CALIBRATION_SIZE = (320, 240)
_CONTRAST = (1.5, 3.0)  # of coarse and fine features
_EFFICIENT_STRIDE = 32  # sides of images that EfficientLoFTR takes are multiples of it


@dataclass(frozen=True)
class Entrant:
    """One row of the table.

    Attributes:
        title: what it is, in the table.
        make: returns the matcher on a device; raises BenchError if something is not installed.
        devices: types of devices that it runs on.
    """

    title: str
    make: Callable[[torch.device], Matcher[Any]]
    devices: tuple[str, ...] = ("cpu", "cuda")


class Pairwise:
    """A program that takes two images and keeps nothing of either: features are the image, on the device.

    Attributes:
        dtype: in which it computes.
    """

    def __init__(
        self, match: Callable[[Tensor, Tensor], Matches], device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        """Use a function of two (1, 1, H, W) images in [0, 1]."""
        self._match = match
        self._device = device
        self.dtype = dtype

    def extract(self, image: NDArray[np.uint8]) -> Tensor:
        """Put an image on the device."""
        return torch.from_numpy(image).to(self._device)[None, None].float() / 255

    @torch.inference_mode()
    def match(self, features_a: Tensor, features_b: Tensor) -> Matches:
        """Do everything."""
        return self._match(features_a, features_b)


def dtype_of(matcher: Matcher[Any]) -> str:
    """Name the type in which the larger part of a matcher computes; "-" where there is no network."""
    if isinstance(matcher, LoftrMatcher):
        return _name(matcher.model.dtype)
    return _name(matcher.dtype) if isinstance(matcher, Pairwise) else "-"


def call_as_it_is(matcher: Matcher[Any]) -> None:
    """Stop replaying CUDA graphs, of whose operations torch knows nothing."""
    if isinstance(matcher, LoftrMatcher) and isinstance(matcher.network, FastNetwork):
        matcher.network.replays.enabled = False


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def random_loftr() -> LoFTR:
    """Return the published architecture with weights that are random, and the same every time.

    So that places match, the last layers give what is seen more weight than the position encoding.
    """
    torch.manual_seed(0)
    model = LoFTR(preset("outdoor"))
    _fit_normalisation(model, model.backbone)
    coarse, fine = model.backbone.layer3_outconv, model.backbone.layer1_outconv2[3]
    for layer, factor in zip((coarse, fine), _CONTRAST, strict=True):
        for weight in layer.parameters():
            weight.data *= factor
    return model


def _fit_normalisation(model: torch.nn.Module, run: Callable[[Tensor], object]) -> None:
    """Let batch normalisation see two images; without it, features fade to numbers that processors are slow with."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = None  # the mean over all batches, of which there is one
    with torch.no_grad():
        run(torch.from_numpy(np.stack(shifted_pair(*_CALIBRATION_SIZE)))[:, None] / 255)
    model.eval()


def _compact(device: torch.device, precision: Precision = "auto") -> Matcher[Any]:
    return load_matcher("compact", str(device), precision=precision)


def _published(device: torch.device, precision: Precision = "auto") -> Matcher[Any]:
    return LoftrMatcher(random_loftr(), device, "random", precision=precision)


def _kornia(device: torch.device, autocast: bool = False) -> Matcher[Any]:
    loftr = _package("kornia.feature").LoFTR(pretrained=None)
    loftr.load_state_dict(random_loftr().state_dict())
    loftr.eval().to(device)

    def match(a: Tensor, b: Tensor) -> Matches:
        with torch.autocast(device.type, torch.float16, enabled=autocast):
            found = loftr({"image0": a, "image1": b})
        # Kornia's pixels, as those of the published weights, have their corner at a whole number.
        return _matches(found["keypoints0"] - 0.5, found["keypoints1"] - 0.5, found["confidence"])

    return Pairwise(match, device, torch.float16 if autocast else torch.float32)


def _efficient_loftr(device: torch.device, autocast: bool = False) -> Matcher[Any]:
    transformers = _package("transformers")
    torch.manual_seed(0)
    # Random weights are never sure: without a threshold the later stages have as much to do as with trained ones.
    config = transformers.EfficientLoFTRConfig(coarse_matching_threshold=0.0)
    model = transformers.EfficientLoFTRForKeypointMatching(config).eval()
    _fit_normalisation(model, lambda images: model(_whole_strides(images)[None].expand(-1, -1, 3, -1, -1)))
    model.to(device)

    def match(a: Tensor, b: Tensor) -> Matches:
        pair = _whole_strides(torch.cat([a, b]))[None].expand(-1, -1, 3, -1, -1)
        with torch.autocast(device.type, torch.float16, enabled=autocast):
            found = model(pair)
        size = torch.tensor(pair.shape[:-3:-1], device=device)  # keypoints are shares of width and height
        chosen = found.matches[0, 0] >= 0
        points_a, points_b = (found.keypoints[0] * size)[:, chosen]
        return _matches(points_a, points_b, found.matching_scores[0, 0][chosen])

    return Pairwise(match, device, torch.float16 if autocast else torch.float32)


def _whole_strides(image: Tensor) -> Tensor:
    size = [max(round(side / _EFFICIENT_STRIDE), 1) * _EFFICIENT_STRIDE for side in image.shape[2:]]
    return torch.nn.functional.interpolate(image, size, mode="bilinear", antialias=True)


def _matches(points_a: Tensor, points_b: Tensor, confidence: Tensor) -> Matches:
    a, b, sure = (tensor.float().cpu().numpy() for tensor in (points_a, points_b, confidence))
    return Matches(a, b, sure, np.arange(len(a)))


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BenchError(f"{name.partition('.')[0]} is not installed: pip install 'loftr_ros[dev,bench]'.") from error


REFERENCE = "kornia"
ENTRANTS = {
    "compact": Entrant("LoFTR compact", _compact),
    "compact-float32": Entrant("LoFTR compact, float32", lambda device: _compact(device, "float32")),
    "published": Entrant("LoFTR published", _published),
    "published-float32": Entrant("LoFTR published, float32", lambda device: _published(device, "float32")),
    REFERENCE: Entrant("kornia LoFTR", _kornia),
    "kornia-autocast": Entrant("kornia LoFTR, autocast", lambda device: _kornia(device, True), ("cuda",)),
    "efficientloftr": Entrant("EfficientLoFTR, transformers", _efficient_loftr),
    "efficientloftr-autocast": Entrant(
        "EfficientLoFTR, autocast", lambda device: _efficient_loftr(device, True), ("cuda",)
    ),
    "sift": Entrant(f"SIFT {FEATURES}", lambda _: sift(), ("cpu",)),
    "orb": Entrant(f"ORB {FEATURES}", lambda _: orb(), ("cpu",)),
}
