"""Roofline model: lower bounds of the run time by arithmetic and by memory traffic at the peak rates of the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from stopwatch import timed
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

_TRIES = 5
_DTYPES = ("float32", "bfloat16", "float16")
_MIN_SIDE, _MAX_SIDE = 128, {"cpu": 2048, "cuda": 8192}  # of the multiplied matrices
_LIMIT_S = 1.0
_COPIED = 2**28  # bytes, larger than any cache


@dataclass(frozen=True)
class Work:
    """Floating-point operations of matrix products and convolutions, and bytes read and written.

    Traffic assumes that every operation but a view reads its inputs from memory and writes its results back. Code with
    good cache locality can be faster than this bound.
    """

    flop: float
    bytes: float


@dataclass(frozen=True)
class Rates:
    """Measured peak rates of a device: FLOP/s of a large matrix product by dtype, bytes/s of a large copy."""

    flop: dict[str, float]
    bytes: float

    @staticmethod
    def measure(device: torch.device) -> Rates:
        """Measure the best of a few repetitions."""
        flop = {name: _product_rate(device, getattr(torch, name)) for name in _DTYPES}
        source = torch.ones(_COPIED, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        return Rates(flop, 2 * _COPIED / _min_seconds(lambda: target.copy_(source)))

    def __str__(self) -> str:
        products = ", ".join(f"{rate / 1e9:.0f} in {name}" for name, rate in self.flop.items())
        return f"{products} GFLOP/s of products, {self.bytes / 1e9:.0f} GB/s of a copy"


def count(call: Callable[[], object]) -> Work:
    """Run a computation once and count its operations and traffic."""
    traffic, products = _Traffic(), FlopCounterMode(display=False)
    with products, traffic:
        call()
    return Work(float(products.get_total_flops()), float(traffic.bytes))


class _Traffic(TorchDispatchMode):
    """Sums up the bytes of inputs and results of all operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given, made = _tensors((args, kwargs)), _tensors(result)
        storages = {tensor.untyped_storage().data_ptr() for tensor in given}
        is_view = all(tensor.untyped_storage().data_ptr() in storages for tensor in made)
        if func._schema.is_mutable or not is_view:
            self.bytes += sum(_size(tensor) for tensor in (*given, *made))
        return result


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _size(tensor: Tensor) -> int:
    """Bytes of a tensor; an expanded tensor has more elements than memory."""
    return min(tensor.nbytes, tensor.untyped_storage().nbytes())


def _product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the FLOP/s of a product, sized to take at most a second: some processors emulate bfloat16."""
    side = _MIN_SIDE
    while True:
        a, b = torch.randn(2, side, side, device=device).to(dtype)
        seconds = _min_seconds(partial(torch.matmul, a, b))
        if side >= _MAX_SIDE[device.type] or 8 * seconds > _LIMIT_S:
            return 2 * side**3 / seconds
        side *= 2


def _min_seconds(call: Callable[[], object]) -> float:
    times: Iterable[float] = (timed(call)[1] for _ in range(_TRIES))
    return 1e-3 * min(times)
