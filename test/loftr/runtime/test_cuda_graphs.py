"""CUDA graphs: results belong to the caller, whatever is captured and replayed later."""

import logging
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from loftr_ros.loftr.runtime import cuda_graphs
from loftr_ros.loftr.runtime.cuda_graphs import CudaGraphCache

CPU = torch.device("cpu")


@pytest.fixture
def graphs() -> CudaGraphCache:
    return CudaGraphCache(CPU)


def affine(x: Tensor, y: Tensor | None, factor: float) -> list[Tensor]:
    return [factor * x, x if y is None else x + y]


def test_results_are_not_overwritten(graphs: CudaGraphCache) -> None:
    """A replay writes to the same memory, and a result may be what was given."""
    given = [torch.full((3,), float(i)) for i in range(4)]
    results = [graphs(affine, [x, None], 2.0) for x in given]
    for i, (x, (twice, same)) in enumerate(zip(given, results, strict=True)):
        assert x.tolist() == same.tolist() == [i] * 3
        assert twice.tolist() == [2 * i] * 3


def test_one_graph_for_each_kind_of_arguments(graphs: CudaGraphCache) -> None:
    recorded: list[Sequence[int]] = []

    def work(x: Tensor, y: Tensor | None, factor: float) -> list[Tensor]:
        recorded.append(x.shape)
        return affine(x, y, factor)

    ones, short = torch.ones(3), torch.ones(2)
    kinds = [(ones, None, 2.0), (short, None, 2.0), (ones, ones, 2.0), (ones, ones.int(), 2.0), (ones, None, 3.0)]
    for _ in range(2):
        for x, y, factor in kinds:
            scaled, total = graphs(work, [x, y], factor)
            assert scaled.tolist() == [factor] * len(x)
            assert total.tolist() == [1.0 if y is None else 2.0] * len(x)
    assert len(graphs._graphs) == len(kinds)


def test_oldest_graphs_are_dropped(graphs: CudaGraphCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "_MAX_GRAPHS", 2)
    for length in (1, 2, 1, 3):
        graphs(affine, [torch.ones(length), None], 1.0)
    assert [kind[2][0][0] for kind in graphs._graphs] == [(1,), (3,)]
    graphs.forget()
    assert not graphs._graphs


def test_failed_capture_falls_back_to_direct_calls(
    graphs: CudaGraphCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(work: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(cuda_graphs, "_capture_on_cpu", fail)
    with caplog.at_level(logging.WARNING):
        results = [graphs(affine, [torch.full((3,), i), None], 2.0)[0] for i in (1.0, 2.0)]
    assert [result.tolist() for result in results] == [[2.0] * 3, [4.0] * 3]
    (record,) = caplog.records
    assert "not permitted when stream is capturing" in record.getMessage()


def test_out_of_memory_does_not_disable_graphs(graphs: CudaGraphCache) -> None:
    def work(x: Tensor) -> list[Tensor]:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        graphs(work, [torch.ones(3)])
    assert graphs.enabled
    assert not graphs._graphs
