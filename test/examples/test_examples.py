"""Every example runs, as a reader would run it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
import yaml

from loftr_ros.demo.room import BASELINE, FOCAL, HEIGHT, WIDTH, write_sequence

ROOT = Path(__file__).parents[2]
FRAMES = 3


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sequence(tmp_path_factory.mktemp("room"), FRAMES, lambda: None, loop_frames=120)


def example(name: str, *arguments: object) -> str:
    """Run an example to its end; return what it printed."""
    command = [sys.executable, ROOT / "examples" / name, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_visual_odometry(sequence: Path) -> None:
    lines = example("visual_odometry.py", sequence).splitlines()
    assert len(lines) == FRAMES
    assert re.fullmatch(r"0\.000 s  initializing    +0\.000 +0\.000 +0\.000", lines[0])


def test_match_images(sequence: Path) -> None:
    images = (sequence / f"image_{side}" / "000000.png" for side in (0, 1))
    said = example("match_images.py", *images, FOCAL)
    T_left_right = np.array(re.findall(r"-?\d\.\d*(?:e-\d+)?", said.partition("unit length:")[2]), float).reshape(4, 4)
    assert np.allclose(T_left_right[:3, 3], [1, 0, 0], atol=0.05)


def test_stereo_cameras(sequence: Path, tmp_path: Path) -> None:
    arguments = [*(write_video(sequence, tmp_path, side) for side in (0, 1))]
    arguments += [write_calibration(tmp_path / f"{side}.yaml", side) for side in (0, 1)]
    assert example("stereo_cameras.py", *arguments).splitlines()[0].startswith("initializing [0. 0. 0.]")


def write_video(sequence: Path, folder: Path, side: int) -> Path:
    path = folder / f"{side}.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for image in sorted((sequence / f"image_{side}").iterdir()):
        video.write(cv2.imread(str(image)))
    video.release()
    return path


def write_calibration(path: Path, side: int) -> Path:
    K = [FOCAL, 0, WIDTH / 2 - 0.5, 0, FOCAL, HEIGHT / 2 - 0.5, 0, 0, 1]
    P = [*K[:3], -FOCAL * BASELINE * side, *K[3:6], 0, *K[6:], 0]
    calibration = {
        "image_width": WIDTH,
        "image_height": HEIGHT,
        "camera_matrix": {"rows": 3, "cols": 3, "data": K},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.0] * 5},
        "projection_matrix": {"rows": 3, "cols": 4, "data": P},
    }
    path.write_text(yaml.safe_dump(calibration))
    return path


def test_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells one after the other in one namespace, as Jupyter does; the plots are drawn and not shown."""
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: matplotlib.pyplot.close("all"))
    matplotlib.use("Agg")
    notebook = json.loads((ROOT / "examples" / "odometry.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell.get("outputs", []) == [] for cell in notebook["cells"]), "clear the outputs before committing"
    namespace: dict[str, object] = {}
    for number, cell in enumerate(cells):
        exec(compile(cell, f"cell {number} of odometry.ipynb", "exec"), namespace)
    assert len(cells) == 4


def test_script_of_the_readme(sequence: Path) -> None:
    (script,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    code = re.sub(r'"~/[^"]*"', repr(str(sequence)), script)
    assert code != script
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == FRAMES
