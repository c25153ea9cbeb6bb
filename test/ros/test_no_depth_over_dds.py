"""A metric camera without depth: the diagnostics warn and name it, and no motion is made up."""

import json
import shutil

import cv2
import numpy as np
import pytest

WARNINGS = {
    "moving": "lost: left and right do not match; the pose is a prediction; left and right image have only 0 matches: "
    "image too dark on the right, check whether the lens is covered",
    "standing": "no depth was measured yet, and without it a moving camera is lost: check the right images",
}


@pytest.mark.parametrize("case", WARNINGS)
def test_right_images_that_are_black(ros, program, tmp_path, rendered, case):
    path = tmp_path / "sequences" / "00"
    shutil.copytree(rendered.path, path)
    first = cv2.imread(str(path / "image_0" / "000000.png"), cv2.IMREAD_GRAYSCALE)
    for index, file in enumerate(sorted((path / "image_0").iterdir())):
        cv2.imwrite(str(path / "image_1" / file.name), np.zeros_like(first))
        if case == "standing":
            cv2.imwrite(str(file), first + np.uint8(index % 2))
    node = ros.node(mode="stereo", qos="reliable", process_every_frame="true", input_timeout=60.0)
    collector = ros.start(program("collect.py"), tmp_path / "found.json", len(rendered.stamps_ns))
    assert collector.stdout.readline() == "ready\n", node.poll()
    play = ("loftr_ros.cli", "play", path, "--mode", "stereo", "--lockstep", "--timeout", 30)
    code, said, errors = ros.run(*play)
    assert code == 0, said + errors
    assert collector.wait(timeout=120) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    status = found["diagnostics"][-1]
    assert (status["level"], status["message"]) == (1, WARNINGS[case])
    assert status["values"]["scale known"] == "false"
    assert not np.any([message["position"] for message in found["odometry"]])
    code, errors = ros.stop(node)
    assert code == 0, errors
