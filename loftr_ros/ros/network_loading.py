"""The network of the node: loading by its parameters, and its diagnostics."""

from __future__ import annotations

import torch

from loftr_ros.ignore_mask import MaskedMatcher, MaskError
from loftr_ros.loftr.runtime.matcher import LoftrMatcher, load_matcher
from loftr_ros.ros.parameters.table import VoParameters, compute_budget
from loftr_ros.validation import user_path

Matcher = LoftrMatcher | MaskedMatcher


def load_network(parameters: VoParameters) -> Matcher:
    """Load the network, with the mask of ignored pixels if there is one. Raises LoftrRosError."""
    if parameters.threads:
        torch.set_num_threads(parameters.threads)
    p = parameters
    matcher = load_matcher(p.checkpoint, p.device, compute_budget(p), p.precision, p.gpu_memory_limit)
    return MaskedMatcher(matcher, user_path(MaskError, "mask_image", p.mask_image)) if p.mask_image else matcher


def network_diagnostics(matcher: Matcher) -> dict[str, str]:
    """Return names and values for the diagnostics."""
    values = {"device": str(matcher.device), "checkpoint": matcher.checkpoint, "precision": matcher.precision}
    if matcher.device.type == "cuda":
        now, peak = torch.cuda.memory_allocated(matcher.device), torch.cuda.max_memory_allocated(matcher.device)
        values["GPU memory (MiB)"] = f"{now / 2**20:.0f}, at most {peak / 2**20:.0f}"
    return values
