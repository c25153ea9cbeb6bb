"""Random tensors from one seeded generator, so that a resumed run continues with the same scenes."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Draw:
    """Random tensors on a device, from one generator whose state can be saved."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self.generator = torch.Generator(device=device)
        self.generator.manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform in [low, high)."""
        return low + (high - low) * torch.rand(*shape, generator=self.generator, device=self.device)

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Log-uniform between two positive bounds."""
        return self.uniform(math.log(low), math.log(high), *shape).exp()

    def normal(self, *shape: int) -> Tensor:
        """Standard normal."""
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Uniform integers in [0, high)."""
        return torch.randint(high, shape, generator=self.generator, device=self.device)

    def chance(self, probability: float, *shape: int) -> Tensor:
        """Booleans that are True with the given probability."""
        return torch.rand(*shape, generator=self.generator, device=self.device) < probability

    def direction(self, *shape: int) -> Tensor:
        """Unit vectors (*shape, 3), uniform on the sphere."""
        return torch.nn.functional.normalize(self.normal(*shape, 3), dim=-1)
