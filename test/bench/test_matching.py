"""bench/matching.py from end to end, on rendered data with the shipped checkpoint."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Bench = Callable[[str], ModuleType]


@pytest.mark.usefixtures("data")
def test_tables(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    begin, end = bench("report").markers("matching.py")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    options = ["--sequences", "kitti06", "scannet", "graf", "--strides", "1", "--every", "2", "--device", "cpu"]
    assert (
        bench("matching").main([*options, "--output", str(tmp_path / "new" / "out.json"), "--output", str(page)]) == 0
    )

    printed = capsys.readouterr().out
    assert all(word in printed for word in ("CPU", "threads", "torch", "OpenCV", "float", "SIFT 4000, OpenCV pipeline"))
    content = json.loads((tmp_path / "new" / "out.json").read_text())
    kitti, scannet, graf = content["tables"]
    assert [one["pairs"] for one in content["tables"]] == [2, 1, 1]
    names = ["LoFTR compact, refined", "LoFTR compact, raw", "ORB 4000", "SIFT 4000", "SIFT 4000, OpenCV pipeline"]
    assert [row["name"] for row in kitti["rows"]] == names
    assert [row["name"] for row in graf["rows"]] == names[:-1]
    for row in kitti["rows"]:
        assert row["failures"] == 0
        assert 8 <= row["inliers"] <= row["matches"]
        assert 0 <= row["auc"]["5°"] <= row["auc"]["10°"] <= row["auc"]["20°"] <= 100
        assert min(row["extract_ms"], row["match_ms"], row["pose_ms"]) > 0
        # ORB's corners are whole pixels of images that are this small.
        if row["name"] != "ORB 4000":
            assert row["errors"]["rotation"] < 1.0
            assert row["errors"]["direction"] < 10.0
            assert row["auc"]["20°"] > 50
    assert scannet["rows"][3]["errors"]["direction"] < 10.0, "T_0to1 takes points from a to b"
    assert graf["rows"][3]["errors"]["corners"] < 1.0

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "Provisional" in text
    assert "--sequences kitti06 scannet graf" in text
    table = [line for line in text.splitlines() if line.startswith("| LoFTR compact, refined")]
    assert len(table) == 3
    assert f"{kitti['rows'][0]['errors']['direction']:.3f}" in table[0]


def test_user_errors(
    bench: Bench, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def error_of(*options: object) -> str:
        assert bench("matching").main([str(option) for option in options]) == 2
        error = capsys.readouterr().err
        assert error.startswith("matching.py: error: ")
        assert len(error.strip().splitlines()) == 1
        return error

    assert "no folder" in error_of("--sequences", tmp_path / "nowhere")
    assert "too few for --strides 9" in error_of("--sequences", "kitti06", "--strides", 9)
    (data / "pairs" / "graf" / "pairs.json").unlink()
    assert "pairs.json" in error_of("--sequences", "graf")
    (data / "kitti" / "poses" / "06.txt").unlink()
    assert "no ground truth" in error_of("--sequences", "kitti06")
    monkeypatch.delenv("LOFTR_ROS_DATA")
    assert "LOFTR_ROS_DATA" in error_of("--sequences", "kitti06")


def test_page_without_markers_is_left_alone(bench: Bench, tmp_path: Path) -> None:
    report, page = bench("report"), tmp_path / "page.md"
    page.write_text("text of somebody\n")
    with pytest.raises(bench("data").BenchError, match=r"page\.md has no place"):
        report.Report("matching.py", "command", {}, []).write(page)
    assert page.read_text() == "text of somebody\n"
