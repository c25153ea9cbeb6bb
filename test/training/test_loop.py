"""The loop learns, saves, and continues exactly where it stopped."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from loftr_ros.loftr.network.config import ModelConfigError
from loftr_ros.loftr.weights.checkpoints import load_model
from loftr_ros.output import OutputError
from loftr_ros.training.config import TrainingConfig
from loftr_ros.training.data.source_config import HomographyConfig, RecordedConfig, RenderedConfig, SourceConfig
from loftr_ros.training.data.textures import TextureError
from loftr_ros.training.distributed import Workers
from loftr_ros.training.loop import Trainer, difficulty, learning_rate
from loftr_ros.training.settings import TrainingConfigError
from loftr_ros.training.state import ResumeError
from loftr_ros.training.validation import Validation

CPU = torch.device("cpu")
CONFIG = TrainingConfig(
    patterns=4, sizes=((64, 64), (96, 64)), batch=2, steps=60, warmup=5, fine_matches=64, average=0.9, bfloat16=False
)


def ignore(figures: dict[str, Any]) -> None:
    pass


@pytest.fixture
def quick_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation has a test of its own."""
    figures = Validation(matches=1.0, recall=0.5, precision=0.5, error=1.0)
    monkeypatch.setattr("loftr_ros.training.loop.validate", lambda *_: figures)


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Copies of all that a step changes."""
    averaged = {f"average.{key}": value for key, value in trainer.average.state_dict().items()}
    moments = {
        f"optimizer.{index}.{name}": value
        for index, state in trainer.optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    return {key: value.clone() for key, value in (averaged | moments | trainer.model.state_dict()).items()}


def test_loss_falls() -> None:
    trainer = Trainer(replace(CONFIG, batch=4, sizes=((64, 64),)), CPU)
    losses = [trainer.advance()["coarse_loss"] for _ in range(40)]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    assert (trainer.step, trainer.pairs) == (40, 160)


@pytest.mark.parametrize("fast", [False, True])
def test_bfloat16_only_where_it_is_fast(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loftr_ros.training.loop.has_fast_bfloat16", lambda: fast)
    assert Trainer(replace(CONFIG, bfloat16=True), CPU).mixed == fast
    assert not Trainer(CONFIG, CPU).mixed


def test_half_precision_steps_are_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loftr_ros.training.loop.has_fast_bfloat16", lambda: True)
    trainer = Trainer(replace(CONFIG, bfloat16=True), CPU)
    figures = [trainer.advance() for _ in range(2)]
    assert all(value == value for entry in figures for value in entry.values())
    assert {value.dtype for value in trainer.model.parameters()} == {torch.float32}


@pytest.fixture(params=["rendered", "homographies", "sequence", "mixture"])
def sources(request: pytest.FixtureRequest, recorded_room: Path) -> tuple[SourceConfig, ...]:
    sequence = RecordedConfig(folder=str(recorded_room), max_gap=3)
    kinds = {"rendered": RenderedConfig(), "homographies": HomographyConfig(), "sequence": sequence}
    return tuple(kinds.values()) if request.param == "mixture" else (kinds[request.param],)


def test_continued_run_is_the_uninterrupted_one(tmp_path: Path, sources: tuple[SourceConfig, ...]) -> None:
    config = replace(CONFIG, sources=sources)
    whole = Trainer(config, CPU)
    for _ in range(6):
        whole.advance()

    first = Trainer(config, CPU)
    for _ in range(3):
        first.advance()
    first.save(tmp_path)
    torch.manual_seed(99)  # nothing may depend on the state that the process happens to be in
    second = Trainer(config, CPU)
    assert second.resume(tmp_path / "state.pt") == []
    assert (second.step, second.pairs) == (first.step, first.pairs)
    for _ in range(3):
        second.advance()

    expected, actual = weights(whole), weights(second)
    assert expected.keys() == actual.keys()
    assert [key for key in expected if not torch.equal(expected[key], actual[key])] == []
    assert not torch.equal(expected["backbone.conv1.weight"], weights(first)["backbone.conv1.weight"])


def test_changed_settings_are_told(tmp_path: Path) -> None:
    Trainer(CONFIG, CPU).save(tmp_path)
    changed = replace(CONFIG, steps=90, weight_decay=0.5, sources=(HomographyConfig(),))
    trainer = Trainer(changed, CPU)
    sources, steps, decay = sorted(trainer.resume(tmp_path / "state.pt"))
    assert steps == "steps was 60, now 90"
    assert decay == "weight_decay was 0.01, now 0.5"
    assert "homographies" in sources
    assert [group["weight_decay"] for group in trainer.optimizer.param_groups] == [0.5]


def test_state_of_an_earlier_version(tmp_path: Path) -> None:
    """It held the generator of the one process."""
    trainer = Trainer(CONFIG, CPU)
    trainer.advance()
    trainer.save(tmp_path)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    state["generator"] = state["generator"][0].clone()
    torch.save(state, tmp_path / "state.pt")
    again = Trainer(CONFIG, CPU)
    assert again.resume(tmp_path / "state.pt") == []
    assert torch.equal(again.draw.generator.get_state(), trainer.draw.generator.get_state())


def test_other_number_of_workers_draws_other_pairs(tmp_path: Path) -> None:
    alone = Trainer(CONFIG, CPU)
    alone.save(tmp_path)
    (note,) = Trainer(CONFIG, CPU, Workers(1, 2)).resume(tmp_path / "state.pt")
    assert "different pairs" in note


def test_state_of_another_preset(tmp_path: Path) -> None:
    Trainer(CONFIG, CPU).save(tmp_path)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    state["config"]["preset"] = "outdoor"
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(ResumeError, match="its preset is 'outdoor', but the configuration has 'compact'"):
        Trainer(CONFIG, CPU).resume(tmp_path / "state.pt")


@pytest.mark.usefixtures("quick_validation")
def test_run_writes_what_it_says(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=4, save_every=2, validate_every=3)
    trainer, steps = Trainer(config, CPU), []
    trainer.run(tmp_path / "a" / "b", None, lambda figures: steps.append(figures["step"]))
    output = tmp_path / "a" / "b"
    assert steps == [1, 2, 3, 4]
    assert {path.name for path in output.iterdir()} - {"tensorboard"} == {"state.pt", "model.safetensors", "log.jsonl"}
    assert [json.loads(line)["step"] for line in (output / "log.jsonl").read_text().splitlines()] == [3, 4]
    saved = load_model(str(output / "model.safetensors")).state_dict()
    averaged = trainer.average.module.state_dict()
    assert all(torch.equal(saved[key], averaged[key]) for key in saved)


@pytest.mark.usefixtures("quick_validation")
def test_time_limit_stops_between_steps_and_saves(tmp_path: Path) -> None:
    trainer = Trainer(CONFIG, CPU)
    trainer.run(tmp_path, 0.0, ignore)
    assert trainer.step == 0
    assert (tmp_path / "state.pt").is_file()


@pytest.mark.usefixtures("quick_validation")
def test_every_step_is_validated_once(tmp_path: Path) -> None:
    Trainer(replace(CONFIG, steps=4, validate_every=2), CPU).run(tmp_path, None, ignore)
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [2, 4]


@pytest.mark.usefixtures("quick_validation")
def test_interrupted_run_saves_and_stops(tmp_path: Path) -> None:
    trainer = Trainer(CONFIG, CPU)
    trainer.run(tmp_path, None, ignore, interrupted=lambda: trainer.step == 2)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == trainer.step == 2
    assert not (tmp_path / "log.jsonl").exists()


@pytest.mark.usefixtures("quick_validation")
def test_crash_while_saving_keeps_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(CONFIG, CPU)
    trainer.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def crash(content: object, path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("no space")

    monkeypatch.setattr("torch.save", crash)
    with pytest.raises(RuntimeError):
        trainer.save(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr("loftr_ros.training.loop.save_model", lambda path, *rest: crash(rest, path))
    trainer.advance()
    with pytest.raises(RuntimeError):
        trainer.save(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before["model.safetensors"]
    Trainer(CONFIG, CPU).resume(tmp_path / "state.pt")


def test_average_follows_the_weights() -> None:
    trainer = Trainer(CONFIG, CPU)
    trainer.advance()
    first = weights(trainer)
    trainer.advance()
    second = weights(trainer)
    expected = 0.9 * first["average.module.backbone.conv1.weight"] + 0.1 * second["backbone.conv1.weight"]
    torch.testing.assert_close(second["average.module.backbone.conv1.weight"], expected)


def test_step_with_an_overflow_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(CONFIG, CPU)
    trainer.advance()
    before = weights(trainer)
    monkeypatch.setattr("loftr_ros.training.loop.photometric", lambda draw, images, difficulty: images * torch.inf)
    trainer.advance()
    assert trainer.step == 2
    assert all(torch.equal(value, before[name]) for name, value in weights(trainer).items())


def test_schedule() -> None:
    config = replace(CONFIG, learning_rate=1.0, warmup=10, steps=100)
    rates = [learning_rate(config, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[9], rel=0.02)
    assert rates[50] == pytest.approx(0.505)
    assert rates[100] == pytest.approx(0.01)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))


Damage = Callable[[Path], object]


def _other_network(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    state["model"]["backbone.conv1.weight"] = torch.zeros(3)
    torch.save(state, path)


def _without_step(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    del state["step"]
    torch.save(state, path)


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"nothing of use"),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: torch.save([1, 2], path),
        _other_network,
        _without_step,
    ],
    ids=["missing", "empty", "nonsense", "truncated", "list", "other network", "incomplete"],
)
def test_state_that_cannot_be_continued(tmp_path: Path, damage: Damage) -> None:
    trainer = Trainer(CONFIG, CPU)
    trainer.save(tmp_path)
    path = tmp_path / "state.pt"
    damage(path)
    with pytest.raises(ResumeError) as caught:
        trainer.resume(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_output_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="out cannot be created"):
        Trainer(CONFIG, CPU).run(tmp_path / "out", None, ignore)


def test_photos_by_an_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLACE_OF_PHOTOS", raising=False)
    with pytest.raises(TextureError, match=r"\$PLACE_OF_PHOTOS/photos"):
        Trainer(replace(CONFIG, photos="$PLACE_OF_PHOTOS/photos"), CPU)
    monkeypatch.setenv("PLACE_OF_PHOTOS", str(tmp_path))
    with pytest.raises(TextureError, match=str(tmp_path)):
        Trainer(replace(CONFIG, photos="$PLACE_OF_PHOTOS/photos"), CPU)


@pytest.mark.parametrize("name", ["indoor", "outdoor_ot"])
def test_published_architectures_learn(name: str) -> None:
    trainer = Trainer(replace(CONFIG, preset=name, batch=1, sizes=((64, 64),)), CPU)
    before = trainer.model.backbone.conv1.weight.clone()
    figures = trainer.advance()
    assert all(value == value for value in figures.values())
    assert not torch.equal(trainer.model.backbone.conv1.weight, before)
    assert trainer.model.config.pixel_center == 0  # as in the ground truth


def test_initial_weights() -> None:
    trainer, embedded = Trainer(replace(CONFIG, initial_weights="compact"), CPU), load_model("compact")
    for model in (trainer.model, trainer.average.module):
        assert all(torch.equal(value, embedded.state_dict()[key]) for key, value in model.state_dict().items())
    with pytest.raises(TrainingConfigError, match="initial_weights compact16 are of another architecture than preset"):
        Trainer(replace(CONFIG, initial_weights="compact16"), CPU)


def test_unknown_preset() -> None:
    with pytest.raises(ModelConfigError, match="'huge'"):
        Trainer(replace(CONFIG, preset="huge"), CPU)


def test_pairs_become_harder_over_the_ramp() -> None:
    config = replace(CONFIG, steps=100, ramp=0.5)
    assert [difficulty(config, step) for step in (0, 25, 50, 99)] == [0.0, 0.5, 1.0, 1.0]
    assert difficulty(replace(config, ramp=0.0), 0) == 1.0
