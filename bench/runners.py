"""The methods of bench/speed.py: this package and its alternatives, behind the `Matcher` protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from image_pairs import shifted_pair
from learned_matchers import LEARNED_MATCHERS
from matchers import FEATURES, orb, sift
from numpy.typing import NDArray
from packages import package
from torch import Tensor

from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.network.precision import Precision
from loftr_ros.loftr.runtime.inference import FastNetwork
from loftr_ros.loftr.runtime.matcher import LoftrMatcher, load_matcher
from loftr_ros.matches import Matcher, Matches

_CALIBRATION_SIZE = (320, 240)
_CONTRAST = (1.5, 3.0)  # gain of the last coarse and fine layer
_EFFICIENT_STRIDE = 32  # EfficientLoFTR needs image sides that are multiples of it


@dataclass(frozen=True)
class Runner:
    """One method of the speed benchmark: one row of the table.

    Attributes:
        title: name in the table.
        make: creates the matcher on a device; raises BenchError if a package is not installed.
        devices: supported types of devices.
    """

    title: str
    make: Callable[[torch.device], Matcher[Any]]
    devices: tuple[str, ...] = ("cpu", "cuda")


class Pairwise:
    """A matcher that takes two images and caches no features: its features are the image on the device.

    Attributes:
        dtype: type of its computations.
    """

    def __init__(
        self, match: Callable[[Tensor, Tensor], Matches], device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        """Wrap a function of two (1, 1, H, W) images in [0, 1]."""
        self._match = match
        self._device = device
        self.dtype = dtype

    def extract(self, image: NDArray[np.uint8]) -> Tensor:
        """Upload an image to the device."""
        return torch.from_numpy(image).to(self._device)[None, None].float() / 255

    @torch.inference_mode()
    def match(self, features_a: Tensor, features_b: Tensor) -> Matches:
        """Match two images, feature extraction included."""
        return self._match(features_a, features_b)


def dtype_of(matcher: Matcher[Any]) -> str:
    """Return the name of the main dtype of a matcher; "-" without a network."""
    if isinstance(matcher, LoftrMatcher):
        return _name(matcher.model.dtype)
    return _name(matcher.dtype) if isinstance(matcher, Pairwise) else "-"


def disable_cuda_graphs(matcher: Matcher[Any]) -> None:
    """Stop replaying CUDA graphs, as torch cannot count their operations."""
    if isinstance(matcher, LoftrMatcher) and isinstance(matcher.network, FastNetwork):
        matcher.network.graphs.enabled = False


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def random_loftr() -> LoFTR:
    """Return the published architecture with random weights from a fixed seed.

    The gain of the last layers is raised, so that the image content outweighs the position encoding and places match.
    """
    torch.manual_seed(0)
    model = LoFTR(preset("outdoor"))
    _fit_normalization(model, model.backbone)
    for layer, factor in zip(model.backbone.last_layers, _CONTRAST, strict=True):
        for weight in layer.parameters():
            weight.data *= factor
    return model


def _fit_normalization(model: torch.nn.Module, run: Callable[[Tensor], object]) -> None:
    """Fit batch normalization to two images; otherwise activations fade to denormal numbers, which are slow on CPUs."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = None  # average over all batches (here: one)
    with torch.no_grad():
        run(torch.from_numpy(np.stack(shifted_pair(*_CALIBRATION_SIZE)))[:, None] / 255)
    model.eval()


def _compact(device: torch.device, precision: Precision = "auto") -> Matcher[Any]:
    return load_matcher("compact", str(device), precision=precision)


def _compact16(device: torch.device, precision: Precision = "auto") -> Matcher[Any]:
    return load_matcher("compact16", str(device), precision=precision)


def _published(device: torch.device, precision: Precision = "auto") -> Matcher[Any]:
    return LoftrMatcher(random_loftr(), device, "random", precision=precision)


def _kornia(device: torch.device, autocast: bool = False) -> Matcher[Any]:
    loftr = package("kornia.feature").LoFTR(pretrained=None)
    loftr.load_state_dict(random_loftr().state_dict())
    loftr.eval().to(device)

    def match(a: Tensor, b: Tensor) -> Matches:
        with torch.autocast(device.type, torch.float16, enabled=autocast):
            found = loftr({"image0": a, "image1": b})
        # Kornia and the published weights have integer coordinates at pixel corners.
        return _matches(found["keypoints0"] - 0.5, found["keypoints1"] - 0.5, found["confidence"])

    return Pairwise(match, device, torch.float16 if autocast else torch.float32)


def _efficient_loftr(device: torch.device, autocast: bool = False) -> Matcher[Any]:
    transformers = package("transformers")
    torch.manual_seed(0)
    # Random weights give low confidences: a threshold of 0 keeps the load of the later stages realistic.
    config = transformers.EfficientLoFTRConfig(coarse_matching_threshold=0.0)
    model = transformers.EfficientLoFTRForKeypointMatching(config).eval()
    _fit_normalization(model, lambda images: model(_resized_to_stride(images)[None].expand(-1, -1, 3, -1, -1)))
    model.to(device)

    def match(a: Tensor, b: Tensor) -> Matches:
        pair = _resized_to_stride(torch.cat([a, b]))[None].expand(-1, -1, 3, -1, -1)
        with torch.autocast(device.type, torch.float16, enabled=autocast):
            found = model(pair)
        size = torch.tensor(pair.shape[:-3:-1], device=device)  # keypoints are relative to width and height
        chosen = found.matches[0, 0] >= 0
        points_a, points_b = (found.keypoints[0] * size)[:, chosen]
        return _matches(points_a, points_b, found.matching_scores[0, 0][chosen])

    return Pairwise(match, device, torch.float16 if autocast else torch.float32)


def _resized_to_stride(image: Tensor) -> Tensor:
    size = [max(round(side / _EFFICIENT_STRIDE), 1) * _EFFICIENT_STRIDE for side in image.shape[2:]]
    return torch.nn.functional.interpolate(image, size, mode="bilinear", antialias=True)


def _matches(points_a: Tensor, points_b: Tensor, confidence: Tensor) -> Matches:
    a, b, scores = (tensor.float().cpu().numpy() for tensor in (points_a, points_b, confidence))
    return Matches(a, b, scores, np.arange(len(a)))


REFERENCE = "kornia"
RUNNERS = {
    "compact": Runner("LoFTR compact", _compact),
    "compact-float32": Runner("LoFTR compact, float32", lambda device: _compact(device, "float32")),
    "compact16": Runner("LoFTR compact16", _compact16),
    "compact16-float32": Runner("LoFTR compact16, float32", lambda device: _compact16(device, "float32")),
    "published": Runner("LoFTR published", _published),
    "published-float32": Runner("LoFTR published, float32", lambda device: _published(device, "float32")),
    REFERENCE: Runner("kornia LoFTR", _kornia),
    "kornia-autocast": Runner("kornia LoFTR, autocast", lambda device: _kornia(device, True), ("cuda",)),
    "efficientloftr": Runner("EfficientLoFTR, transformers", _efficient_loftr),
    "efficientloftr-autocast": Runner(
        "EfficientLoFTR, autocast", lambda device: _efficient_loftr(device, True), ("cuda",)
    ),
    **{name: Runner(*LEARNED_MATCHERS[name]) for name in ("xfeat", "xfeat-dense")},
    "sift": Runner(f"SIFT {FEATURES}", lambda _: sift(), ("cpu",)),
    "orb": Runner(f"ORB {FEATURES}", lambda _: orb(), ("cpu",)),
}
