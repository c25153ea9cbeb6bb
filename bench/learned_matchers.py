"""Other learned matchers with their published weights, from kornia: XFeat, ALIKED and DISK, with LightGlue.

They are optional: kornia is a development requirement, and it downloads the weights at the first use, to the folder
`hub/checkpoints` in TORCH_HOME.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from data import BenchError
from numpy.typing import NDArray
from packages import package
from torch import Tensor

from loftr_ros.matches import Matcher, Matches

KEYPOINTS = 4096  # XFeat's and our number of matches; LightGlue was trained with 2048
LIGHTGLUE_KEYPOINTS = 2048
MIN_SIMILARITY = 0.82  # cosine; that of XFeat's own evaluation

Features = dict[str, Tensor]


class LearnedMatcher:
    """A detector with descriptors, and a matcher of their outputs, behind the `Matcher` protocol."""

    def __init__(
        self,
        describe: Callable[[Tensor], Features],
        match: Callable[[Features, Features], tuple[Tensor, Tensor, Tensor]],
        device: torch.device,
    ) -> None:
        """Wrap two functions.

        Args:
            describe: from a (1, 3, H, W) image in [0, 1] to `keypoints` (N, 2), pixels, and `descriptors` (N, D).
            match: from the features of both images to (M, 2) points of each and the (M,) confidence.
            device: of the images.
        """
        self._describe = describe
        self._match = match
        self._device = device

    @torch.inference_mode()
    def extract(self, image: NDArray[np.uint8]) -> Features:
        """Describe an image."""
        gray = torch.from_numpy(image).to(self._device)[None, None].float() / 255
        return self._describe(gray.expand(-1, 3, -1, -1)) | {"size": torch.tensor(image.shape[::-1])}

    @torch.inference_mode()
    def match(self, features_a: Features, features_b: Features) -> Matches:
        """Match two images; without keypoints in one of them there are no matches."""
        if not min(len(features_a["keypoints"]), len(features_b["keypoints"])):
            none = np.zeros((0, 2), np.float32)
            return Matches(none, none, none[:, 0], np.zeros(0, np.int64))
        a, b, confidence = (value.float().contiguous().cpu().numpy() for value in self._match(features_a, features_b))
        return Matches(a, b, confidence, np.arange(len(a)))


def xfeat(device: torch.device) -> Matcher[Any]:
    """Sparse XFeat with mutual nearest neighbors (CVPR 2024)."""
    network = _xfeat(device)

    def match(a: Features, b: Features) -> tuple[Tensor, Tensor, Tensor]:
        index_a, index_b = network._match_mnn(a["descriptors"], b["descriptors"], MIN_SIMILARITY)
        points_a, points_b = a["keypoints"][index_a], b["keypoints"][index_b]
        return points_a, points_b, torch.ones(len(points_a))

    return LearnedMatcher(lambda image: network.detectAndCompute(image, KEYPOINTS)[0], match, device)


def xfeat_dense(device: torch.device) -> Matcher[Any]:
    """Semi-dense XFeat*: one descriptor a cell at two scales, refined by its network."""
    network = _xfeat(device)

    def describe(image: Tensor) -> Features:
        found = network.detectAndComputeDense(image, KEYPOINTS)
        return {key: found[key][0] for key in ("keypoints", "descriptors", "scales")}

    def match(a: Features, b: Features) -> tuple[Tensor, Tensor, Tensor]:
        batch_a, batch_b = ({key: value[None] for key, value in features.items()} for features in (a, b))
        pairs = network._batch_match(batch_a["descriptors"], batch_b["descriptors"])
        points_a, points_b = network._refine_matches(batch_a, batch_b, pairs, 0).split(2, dim=1)
        return points_a, points_b, torch.ones(len(points_a))

    return LearnedMatcher(describe, match, device)


def xfeat_lighterglue(device: torch.device) -> Matcher[Any]:
    """Sparse XFeat with its small LightGlue."""
    network = _xfeat(device)
    return LearnedMatcher(
        lambda image: network.detectAndCompute(image, KEYPOINTS)[0], _lightglue("xfeat", device), device
    )


def aliked_lightglue(device: torch.device) -> Matcher[Any]:
    """ALIKED-N(16) (TIM 2023) with LightGlue (ICCV 2023)."""
    network = _downloaded(
        lambda: package("kornia.feature").ALIKED.from_pretrained(max_num_keypoints=LIGHTGLUE_KEYPOINTS, device=device)
    )
    return LearnedMatcher(lambda image: vars(network(image)[0]), _lightglue("aliked", device), device)


def disk_lightglue(device: torch.device) -> Matcher[Any]:
    """DISK (NeurIPS 2020) with LightGlue (ICCV 2023)."""
    network = _downloaded(lambda: package("kornia.feature").DISK.from_pretrained(device=device))

    def describe(image: Tensor) -> Features:
        return vars(network(image, LIGHTGLUE_KEYPOINTS, pad_if_not_divisible=True)[0])

    return LearnedMatcher(describe, _lightglue("disk", device), device)


def _xfeat(device: torch.device) -> Any:
    return _downloaded(lambda: package("kornia.feature").XFeat.from_pretrained(KEYPOINTS)).to(device)


def _lightglue(features: str, device: torch.device) -> Callable[[Features, Features], tuple[Tensor, Tensor, Tensor]]:
    network = _downloaded(lambda: package("kornia.feature").LightGlue(features)).eval().to(device)

    def match(a: Features, b: Features) -> tuple[Tensor, Tensor, Tensor]:
        found = network({"image0": _batched(a, device), "image1": _batched(b, device)})
        index_a, index_b = found["matches"][0].T
        return a["keypoints"][index_a], b["keypoints"][index_b], found["scores"][0]

    return match


def _batched(features: Features, device: torch.device) -> Features:
    return {
        "keypoints": features["keypoints"][None].float(),
        "descriptors": features["descriptors"][None],
        "image_size": features["size"][None].to(device),
    }


def _downloaded(make: Callable[[], Any]) -> Any:
    """Create a network with its published weights. Raises BenchError if they cannot be downloaded."""
    try:
        return make()
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchError(f"kornia has no weights here and cannot download them: {reason}") from error


LEARNED_MATCHERS: dict[str, tuple[str, Callable[[torch.device], Matcher[Any]]]] = {
    "xfeat": (f"XFeat {KEYPOINTS}", xfeat),
    "xfeat-dense": (f"XFeat* {KEYPOINTS}", xfeat_dense),
    "xfeat-lighterglue": (f"XFeat {KEYPOINTS} + LighterGlue", xfeat_lighterglue),
    "aliked-lightglue": (f"ALIKED {LIGHTGLUE_KEYPOINTS} + LightGlue", aliked_lightglue),
    "disk-lightglue": (f"DISK {LIGHTGLUE_KEYPOINTS} + LightGlue", disk_lightglue),
}
