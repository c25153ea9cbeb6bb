"""Two processes that torchrun starts train as one that averages the gradients of both."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier

import pytest
import torch

from loftr_ros.training.config import TrainingConfig, read_config
from loftr_ros.training.distributed import ALONE, Workers, joined, local_device
from loftr_ros.training.loop import Trainer

CPU = torch.device("cpu")
CONFIG = """
patterns: 4
sizes: [[64, 64], [96, 64]]
batch: 2
warmup: 2
fine_matches: 32
average: 0.9
bfloat16: false
validation_pairs: 1
"""


@dataclass(frozen=True)
class Threads(Workers):
    """Workers that are threads of this process: what the network does in `Workers`, done by hand."""

    barrier: Barrier = field(default_factory=lambda: Barrier(2, timeout=60))
    lent: dict[int, object] = field(default_factory=dict)

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        first, second = self._exchanged([tensor.clone() for tensor in tensors])
        for tensor, one, other in zip(tensors, first, second, strict=True):
            tensor.copy_((one + other) / 2)

    def total(self, value: int, device: torch.device) -> int:
        return sum(self._exchanged(value))

    def _exchanged(self, mine: object) -> list:  # type: ignore[type-arg]
        self.lent[self.rank] = mine
        self.barrier.wait()
        both = [self.lent[rank] for rank in range(2)]
        self.barrier.wait()
        return both


def train_in_threads(config: TrainingConfig, schedules: Sequence[int]) -> list[Trainer]:
    """Train two workers to the end of one schedule after the other."""
    first = Threads(0, 2)
    workers = (first, replace(first, rank=1))
    trainers = [Trainer(config, CPU, worker) for worker in workers]

    def train(trainer: Trainer) -> None:
        for steps in schedules:
            trainer.config = replace(config, steps=steps)
            while trainer.step < steps:
                trainer.advance()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(train, trainers))
    return trainers


@pytest.fixture(autouse=True)
def as_the_program_computes() -> Iterator[None]:
    """`loftr-ros train` flushes denormal numbers, and the comparison here is exact."""
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


def torchrun(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "loftr_ros.cli", "train", *map(str, arguments), "--device", "cpu", "--no-progress"]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_two_processes_continue_and_agree_with_averaged_gradients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config, output = tmp_path / "config.yaml", tmp_path / "out"
    config.write_text(CONFIG)
    result = torchrun("--config", config, "--output", output, "--steps", 2)
    assert result.returncode == 0, result.stderr
    result = torchrun("--config", config, "--output", output, "--steps", 4, "--resume", output / "state.pt")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("4 steps") == 1
    assert result.stderr.count("steps was 2, now 4") == 1
    assert "other pairs" not in result.stderr

    first, second = train_in_threads(read_config(config), (2, 4))
    expected = first.model.state_dict()
    assert [key for key, value in second.model.state_dict().items() if not torch.equal(value, expected[key])] == []
    state = torch.load(output / "state.pt", weights_only=True)
    assert (state["step"], state["pairs"]) == (4, first.pairs)
    assert [key for key, value in state["model"].items() if not torch.equal(value, expected[key])] == []
    for rank, trainer in enumerate((first, second)):
        assert torch.equal(state["generator"][rank], trainer.draw.generator.get_state())
    assert len((output / "log.jsonl").read_text().splitlines()) == 2


def test_workers_draw_different_pairs_for_one_network() -> None:
    config = TrainingConfig(patterns=2, sizes=((64, 64),), batch=1)
    first, second = (Trainer(config, CPU, Workers(rank, 2)) for rank in range(2))
    pairs = [trainer.source.draw(trainer.draw, 1, (64, 64)) for trainer in (first, second)]
    assert not torch.equal(pairs[0].a.image, pairs[1].a.image)
    assert torch.equal(first.model.backbone.conv1.weight, second.model.backbone.conv1.weight)
    assert torch.equal(first.atlas.texels, second.atlas.texels)


def test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    values = torch.tensor([1.0, 2.0])
    with joined(CPU) as workers:
        assert workers == ALONE
        assert workers.leads
        workers.average([values])
        assert workers.total(3, CPU) == 3
        assert workers.gather(values).tolist() == [[1.0, 2.0]]
    assert values.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "gpu", "expected"),
    [("auto", True, "cuda:3"), ("auto", False, "auto"), ("cuda", True, "cuda:3"), ("cpu", True, "cpu")],
)
def test_every_process_takes_its_own_gpu(monkeypatch: pytest.MonkeyPatch, name: str, gpu: bool, expected: str) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert local_device(name) == name
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert local_device(name) == expected
