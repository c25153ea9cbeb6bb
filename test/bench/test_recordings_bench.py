"""bench/recordings.py makes the bags that it says, and reads all of them."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def test_each_kind_of_bag_is_read(bench: Callable[[str], ModuleType], tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    arguments = ["--frames", "20", "--size", "64", "48", "--folder", str(tmp_path), "--output", str(output)]
    assert bench("recordings").main(arguments) == 0
    (table,) = json.loads(output.read_text())["tables"]
    assert [(row["kind"], row["frames"]) for row in table["rows"]] == [
        ("MCAP, JPEG", 20),
        ("MCAP, raw", 10),
        ("db3, raw", 10),
        ("ROS 1, raw", 10),
    ]
    for row in table["rows"]:
        assert len(row["memory_mib"]) == 5
        assert row["frame_ms"] > 0
    assert list(tmp_path.iterdir()) == [output], "the bags are removed"
