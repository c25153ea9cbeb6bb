"""Work of fixed shapes, recorded once and replayed: a GPU then waits for one order instead of hundreds (CUDA graphs).

Not `torch.compile`: its CUDA graphs need Triton and a compiler on the robot, and compile for every new shape.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Tensors = Sequence[Tensor | None]  # None where an argument is left out
Work = Callable[[], Sequence[Tensor]]

_MOST_RECORDINGS = 16  # functions, sizes of images, with and without masks
_WARM_UPS = 3  # libraries choose their algorithms in the first runs


class CudaGraphCache:
    """Calls functions of tensors; each is recorded for every new kind of arguments.

    A function must neither look at a value nor make a shape depend on one. Where it cannot be recorded it is called as
    it is, after one warning. On a processor there is nothing to gain; recordings keep to the same rules there, so that
    tests find what would go wrong on a GPU.

    Attributes:
        enabled: whether to record and replay.
    """

    def __init__(self, device: torch.device) -> None:
        """Start without recordings."""
        self.enabled = True
        self._device = device
        self._recordings: OrderedDict[Hashable, _Recording] = OrderedDict()
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._pool: Any = None

    def __call__(
        self, function: Callable[..., Sequence[Tensor]], tensors: Tensors, *arguments: Hashable
    ) -> Sequence[Tensor]:
        """Return function(*tensors, *arguments).

        Args:
            function: gets tensors on the device.
            tensors: on the device or in pinned memory.
            arguments: what else it is called with.

        Returns:
            What the function returned, in memory of its own.
        """
        if not self.enabled:
            placed = (None if tensor is None else tensor.to(self._device, non_blocking=True) for tensor in tensors)
            return function(*placed, *arguments)
        kind = (
            function,
            arguments,
            tuple(None if tensor is None else (tensor.shape, tensor.dtype) for tensor in tensors),
        )
        if kind not in self._recordings:
            inputs = [None if tensor is None else torch.empty_like(tensor, device=self._device) for tensor in tensors]
            _copy(tensors, inputs)
            try:
                self._recordings[kind] = self._record(inputs, lambda: function(*inputs, *arguments))
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError as error:
                logging.getLogger(__name__).warning("no CUDA graphs here, so matching is slower: %s", error)
                self.enabled = False
                return self(function, tensors, *arguments)
            while len(self._recordings) > _MOST_RECORDINGS:
                self._recordings.popitem(last=False)
        self._recordings.move_to_end(kind)
        return self._recordings[kind](tensors)

    def forget(self) -> None:
        """Give the memory of all recordings back."""
        self._recordings.clear()
        self._pool = None

    def _record(self, inputs: Tensors, work: Work) -> _Recording:
        if self._stream is None:
            return _Recording(inputs, *_record_on_processor(work))
        # One piece of memory for all recordings: none needs anything that another run has left there, and results are
        # copied before the next.
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        return _Recording(inputs, *_record_on_gpu(work, self._stream, self._pool))


@dataclass(frozen=True)
class _Recording:
    """A call whose tensors, given and returned, stay where they are."""

    inputs: Tensors
    outputs: Sequence[Tensor]
    replay: Callable[[], None]

    def __call__(self, tensors: Tensors) -> Sequence[Tensor]:
        _copy(tensors, self.inputs)
        self.replay()
        return [output.clone() for output in self.outputs]


def _copy(tensors: Tensors, places: Tensors) -> None:
    for tensor, place in zip(tensors, places, strict=True):
        if tensor is not None and place is not None:
            place.copy_(tensor, non_blocking=True)


def _record_on_gpu(work: Work, stream: torch.cuda.Stream, pool: Any) -> tuple[Sequence[Tensor], Callable[[], None]]:
    graph = torch.cuda.CUDAGraph()
    current = torch.cuda.current_stream(stream.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            work()
        try:
            # Other threads may use the GPU meanwhile.
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                outputs = work()
        except BaseException:
            _give_up_recording(stream.device, pool)
            raise
    current.wait_stream(stream)
    return outputs, graph.replay


def _give_up_recording(device: torch.device, pool: Any) -> None:
    """End the allocations of a recording that failed.

    torch does so only for one that CUDA ends without an error. As long as it takes a recording to be underway, it frees
    no cached memory, and `empty_cache` fails.
    """
    end = getattr(torch._C, "_cuda_endAllocateToPool", None)  # torch 2.8 and newer
    end = end or torch._C._cuda_endAllocateCurrentStreamToPool  # type: ignore[attr-defined]
    with suppress(RuntimeError):  # torch did so
        end(device.index, pool)
        torch._C._cuda_releasePool(device.index, pool)


def _record_on_processor(work: Work) -> tuple[Sequence[Tensor], Callable[[], None]]:
    outputs = work()

    def replay() -> None:
        for output, place in zip(work(), outputs, strict=True):
            place.copy_(output)

    return outputs, replay
