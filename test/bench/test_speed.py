"""bench/speed.py on small images, its methods, and the roofline."""

import json
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

Bench = Callable[[str], ModuleType]

CPU = torch.device("cpu")


def test_table(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speed = bench("speed")
    monkeypatch.setattr(bench("roofline"), "_MAX_SIDE", {"cpu": 256})  # peak rates of larger products take seconds
    outputs = ["--output", str(tmp_path / "out.json"), "--output", str(tmp_path / "out.md")]
    methods = ["--methods", "compact", "kornia", "kornia-autocast", "orb"]
    options = ["--sizes", "128x64", "--seconds", "0.1", "--devices", "cpu", "--threads", str(torch.get_num_threads())]
    assert speed.main([*methods, *options, *outputs]) == 0

    content = json.loads((tmp_path / "out.json").read_text())
    assert {"float32", "bfloat16"} <= set(content["tables"][1]["rates"]["flop"])
    results = content["tables"][0]["results"]
    assert list(results) == ["compact", "kornia", "orb"], "autocast is for GPUs"
    for name, result in results.items():
        timing = result["timing"]
        assert timing is not None, result["error"]
        assert len(timing["frames_ms"]) >= 3
        assert min(timing["frames_ms"]) > 0
        assert timing["peak_mib"] > 50
        assert (timing["work"]["flop"] > 0) == (name != "orb")
    assert results["kornia"]["timing"]["work"]["flop"] > 10 * results["compact"]["timing"]["work"]["flop"]
    text = (tmp_path / "out.md").read_text()
    assert "### 128 x 64, cpu, roofline" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| kornia LoFTR |") and line.count("|") > 10]
    assert "| 1.0 |" in row
    assert "| 100 |" in row
    assert "GFLOP/s" in capsys.readouterr().out


def test_failed_method_is_a_row(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package, a killed process, and a process that does not end."""
    speed, report = bench("speed"), bench("speed_report")
    args = SimpleNamespace(seconds=0.1, patience=30.0, threads=None)

    def outcome(program: str) -> str:
        timing = tmp_path / "timing.py"
        timing.write_text(program)
        monkeypatch.setattr(speed, "TIMING", timing)
        result = speed._result("compact", tmp_path / "pair.npz", "cpu", args)
        table = report.SpeedReport("", {"compact": result})
        assert table.cells[0][:3] == ["LoFTR compact", "failed", "-"]
        assert len(table.cells[0]) == len(table.header)
        assert report.RooflineReport("", {"compact": result}, None).cells == []
        return str(result.error)

    assert "torch is not here" in outcome("import sys; sys.exit('warning\\ntorch is not here')")
    assert "signal 9" in outcome("import os; os.kill(os.getpid(), 9)")
    args.patience = 0.5
    assert "0.5 s" in outcome("import time; time.sleep(60)")


def test_missing_package_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runners = bench("runners")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(bench("data").BenchError, match=r"transformers is not installed: pip install .*bench"):
        runners.RUNNERS["efficientloftr"].make(CPU)


def test_published_architecture_matches_as_kornia_does(bench: Bench) -> None:
    pytest.importorskip("kornia", reason="kornia is needed for parity")
    runners = bench("runners")
    pair = bench("image_pairs").shifted_pair(160, 128)
    timings = []
    for name in ("published-float32", "kornia"):
        matcher = runners.RUNNERS[name].make(CPU)
        found = matcher.match(*map(matcher.extract, pair))
        assert runners.dtype_of(matcher) == "float32"
        timings.append(SimpleNamespace(matches=np.hstack([found.points_a, found.points_b]).tolist()))
    assert len(timings[1].matches) > 50, "too few to compare anything"
    share, distance = bench("speed_report").sameness(*timings)
    assert share > 98
    assert distance < 1e-3


def test_random_weights_of_the_preset_match_the_right_places(bench: Bench) -> None:
    matcher = bench("runners").RUNNERS["compact16-float32"].make(CPU)
    found = matcher.match(*map(matcher.extract, bench("image_pairs").shifted_pair(320, 240)))
    assert len(found) > 20
    assert np.median(found.points_a - found.points_b, axis=0) == pytest.approx([16, 8], abs=1)


def test_sameness(bench: Bench) -> None:
    """Of four matches one is in another cell, and one is missing on one side."""
    ours = SimpleNamespace(matches=[[0, 0, 1, 1], [8, 0, 9, 1], [16, 0, 40, 0], [24, 0, 24, 0]])
    theirs = SimpleNamespace(matches=[[0, 0, 1, 1.5], [8, 0, 9.5, 1], [16, 0, 16, 0]])
    share, distance = bench("speed_report").sameness(ours, theirs)
    assert share == pytest.approx(50)
    assert distance == pytest.approx(0.5)


def test_shifted_pair_is_shifted(bench: Bench) -> None:
    image_pairs = bench("image_pairs")
    a, b = image_pairs.shifted_pair(96, 64)
    dx, dy = image_pairs.SHIFT
    difference = a[dy:, dx:].astype(int) - b[:-dy, :-dx]
    assert a.shape == b.shape == (64, 96)
    assert difference.std() == pytest.approx(image_pairs.NOISE * 2**0.5, rel=0.1)
    assert a.std() > 3 * image_pairs.NOISE


def test_work_is_counted(bench: Bench) -> None:
    roofline = bench("roofline")
    a, b = torch.ones(10, 20), torch.ones(20, 30)
    product = roofline.count(lambda: a @ b)
    assert product.flop == 2 * 10 * 20 * 30
    assert product.bytes == 4 * (10 * 20 + 20 * 30 + 10 * 30)
    assert roofline.count(lambda: a.T[:5].reshape(5, 10)[None]).bytes < 4 * 2 * 50 + 1, "views cost nothing"
    assert roofline.count(lambda: a.expand(1000, 10, 20).amax()).bytes == 4 * (10 * 20 + 1)
    assert roofline.count(lambda: a.mul_(2)).bytes == 4 * (10 * 20) * 2


def test_memory_of_processes(bench: Bench) -> None:
    memory = bench("process_memory")
    before = memory.resident_mib()
    # Not an array: its memory may be what earlier tests left behind, which the process has already.
    with mmap.mmap(-1, 2**27) as pages:
        pages[:: mmap.PAGESIZE] = b"\1" * (len(pages) // mmap.PAGESIZE)
        with_pages = memory.resident_mib(os.getpid())
        assert with_pages > before + 0.9 * len(pages) / 2**20
    # Each processor counts some pages by itself before it adds them to the sum.
    assert memory.peak_mib(CPU) + 1 > with_pages > memory.resident_mib()
    assert np.isnan(memory.resident_mib(2**30))


def test_stages_of_the_network(bench: Bench, tmp_path: Path) -> None:
    options = ["--size", "128", "96", "--repeats", "2", "--device", "cpu", "--output", str(tmp_path / "out.json")]
    assert bench("network").main(options) == 0
    (table,) = json.loads((tmp_path / "out.json").read_text())["tables"]
    assert [row["dtype"] for row in table["rows"]] == ["float32", "bfloat16"]
    for row in table["rows"]:
        assert list(row["milliseconds"]) == ["extract", "transform", "coarse", "refine"]
        assert min(row["milliseconds"].values()) > 0
        assert row["matches"] > 20


@pytest.mark.parametrize("size", ["640", "640x", "100x64", "32x32"])
def test_invalid_sizes(bench: Bench, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench("speed").main(["--sizes", size])
    assert size in capsys.readouterr().err
