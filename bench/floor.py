"""What a computation cannot be faster than: its arithmetic and its memory traffic, at the rates of the machine."""

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
_LEAST_SIDE, _SIDE = 128, {"cpu": 2048, "cuda": 8192}  # of the matrices that are multiplied
_LIMIT_S = 1.0
_COPIED = 2**28  # bytes, more than any cache


@dataclass(frozen=True)
class Work:
    """Of one computation: floating-point operations of products and convolutions, and bytes read and written.

    Every operation is taken to read all it is given and to write its result, as if nothing stayed in a cache; views
    cost nothing. What is faster than its traffic allows has used the cache well.
    """

    flop: float
    bytes: float


@dataclass(frozen=True)
class Rates:
    """What was measured on the device: FLOP/s of a product of large matrices by dtype, bytes/s of a large copy."""

    flop: dict[str, float]
    bytes: float

    @staticmethod
    def measure(device: torch.device) -> Rates:
        """Take the best of a few tries."""
        flop = {name: _product_rate(device, getattr(torch, name)) for name in _DTYPES}
        source = torch.ones(_COPIED, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        return Rates(flop, 2 * _COPIED / _least_seconds(lambda: target.copy_(source)))

    def __str__(self) -> str:
        products = ", ".join(f"{rate / 1e9:.0f} in {name}" for name, rate in self.flop.items())
        return f"{products} GFLOP/s of products, {self.bytes / 1e9:.0f} GB/s of a copy"


def count(call: Callable[[], object]) -> Work:
    """Run a computation once and count its work."""
    traffic, products = _Traffic(), FlopCounterMode(display=False)
    with products, traffic:
        call()
    return Work(float(products.get_total_flops()), float(traffic.bytes))


class _Traffic(TorchDispatchMode):
    """Adds up the bytes of what operations take and give."""

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
    """Bytes of a tensor; one that is expanded has more elements than memory."""
    return min(tensor.nbytes, tensor.untyped_storage().nbytes())


def _product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the FLOP/s of the largest product that takes a second at most: some processors emulate bfloat16."""
    side = _LEAST_SIDE
    while True:
        a, b = torch.randn(2, side, side, device=device).to(dtype)
        seconds = _least_seconds(partial(torch.matmul, a, b))
        if side >= _SIDE[device.type] or 8 * seconds > _LIMIT_S:
            return 2 * side**3 / seconds
        side *= 2


def _least_seconds(call: Callable[[], object]) -> float:
    times: Iterable[float] = (timed(call)[1] for _ in range(_TRIES))
    return 1e-3 * min(times)
