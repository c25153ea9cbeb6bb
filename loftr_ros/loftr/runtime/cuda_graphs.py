"""CUDA graphs: work with fixed shapes is captured once and replayed with one launch instead of hundreds.

Not `torch.compile`, which needs Triton and a compiler on the robot, and compiles for every new shape.
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

Tensors = Sequence[Tensor | None]  # None for omitted arguments
Work = Callable[[], Sequence[Tensor]]

_MAX_GRAPHS = 16  # one per function, image size, and use of a mask
_WARM_UPS = 3  # libraries select their algorithms in the first runs


class CudaGraphCache:
    """Calls functions of tensors through CUDA graphs, one for each function and shapes of its arguments.

    A function must not read tensor values on the host, nor have shapes that depend on them. If the capture fails,
    functions are called directly from then on, with one warning. On a CPU nothing is gained, but the same rules for
    buffers hold, so that tests can find violations without a GPU.

    Attributes:
        enabled: whether to capture and replay.
    """

    def __init__(self, device: torch.device) -> None:
        """Start with an empty cache."""
        self.enabled = True
        self._device = device
        self._graphs: OrderedDict[Hashable, _Graph] = OrderedDict()
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._pool: Any = None

    def __call__(
        self, function: Callable[..., Sequence[Tensor]], tensors: Tensors, *arguments: Hashable
    ) -> Sequence[Tensor]:
        """Return function(*tensors, *arguments).

        Args:
            function: called with tensors on the device.
            tensors: on the device or in pinned memory.
            arguments: further arguments.

        Returns:
            Copies of the results.
        """
        if not self.enabled:
            placed = (None if tensor is None else tensor.to(self._device, non_blocking=True) for tensor in tensors)
            return function(*placed, *arguments)
        key = (
            function,
            arguments,
            tuple(None if tensor is None else (tensor.shape, tensor.dtype) for tensor in tensors),
        )
        if key not in self._graphs:
            inputs = [None if tensor is None else torch.empty_like(tensor, device=self._device) for tensor in tensors]
            _copy(tensors, inputs)
            try:
                self._graphs[key] = self._capture(inputs, lambda: function(*inputs, *arguments))
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError as error:
                logging.getLogger(__name__).warning("CUDA graph capture failed, so matching is slower: %s", error)
                self.enabled = False
                return self(function, tensors, *arguments)
            while len(self._graphs) > _MAX_GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        return self._graphs[key](tensors)

    def forget(self) -> None:
        """Free the memory of all graphs."""
        self._graphs.clear()
        self._pool = None

    def _capture(self, inputs: Tensors, work: Work) -> _Graph:
        if self._stream is None:
            return _Graph(inputs, *_capture_on_cpu(work))
        # One memory pool for all graphs: results are copied before another graph overwrites them.
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        return _Graph(inputs, *_capture_on_gpu(work, self._stream, self._pool))


@dataclass(frozen=True)
class _Graph:
    """A captured call with static input and output buffers."""

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


def _capture_on_gpu(work: Work, stream: torch.cuda.Stream, pool: Any) -> tuple[Sequence[Tensor], Callable[[], None]]:
    graph = torch.cuda.CUDAGraph()
    current = torch.cuda.current_stream(stream.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            work()
        try:
            # thread_local: other threads may use the GPU meanwhile.
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                outputs = work()
        except BaseException:
            _abort_capture(stream.device, pool)
            raise
    current.wait_stream(stream)
    return outputs, graph.replay


def _abort_capture(device: torch.device, pool: Any) -> None:
    """Release the memory pool of a failed capture.

    torch does so only for a capture that CUDA ends without an error. Until then it assumes a capture in progress, frees
    no cached memory, and `empty_cache` fails.
    """
    end = getattr(torch._C, "_cuda_endAllocateToPool", None)  # torch 2.8 and newer
    end = end or torch._C._cuda_endAllocateCurrentStreamToPool  # type: ignore[attr-defined]
    with suppress(RuntimeError):  # already released by torch
        end(device.index, pool)
        torch._C._cuda_releasePool(device.index, pool)


def _capture_on_cpu(work: Work) -> tuple[Sequence[Tensor], Callable[[], None]]:
    outputs = work()

    def replay() -> None:
        for output, place in zip(work(), outputs, strict=True):
            place.copy_(output)

    return outputs, replay
