"""Runs node, recorder and player as processes in a separate ROS domain."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from loftr_ros.demo.programs import PATIENCE_S, local_environment, running
from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.trajectory import Trajectory, read_tum
from loftr_ros.ros.replay.reports import PlayReport, RecordReport, read_play_report, read_record_report


class SessionError(LoftrRosError):
    """A process of the demo failed; the message names it and its log."""


@dataclass(frozen=True)
class SessionResult:
    """Results of the session.

    Attributes:
        trajectory: recorded from /loftr/odometry, T_odom_camera in the optical frame.
        played, recorded: times of all frames and messages.
    """

    trajectory: Trajectory
    played: PlayReport
    recorded: RecordReport


def play_to_node(sequence: Path, output: Path, domain: int) -> SessionResult:
    """Play a stereo sequence to the node in lockstep and record its odometry.

    Args:
        sequence: folder of the sequence.
        output: folder for the recording and the logs.
        domain: unused ROS_DOMAIN_ID.

    Raises:
        SessionError: a process failed or did not end in time.
    """
    environment = local_environment(domain)
    program = [sys.executable, "-m", "loftr_ros.cli"]
    node = [sys.executable, "-m", "loftr_ros.ros.main", "--ros-args"]
    for parameter in ("mode:=stereo", "qos:=reliable", "process_every_frame:=true"):
        node += ["-p", parameter]
    recording, recorded, played = (output / name for name in ("odometry.tum", "record.json", "play.json"))
    record = [*program, "record", "--frame", "optical", "--output", str(recording), "--json", str(recorded)]
    play = [*program, "play", str(sequence), "--mode", "stereo", "--lockstep", "--listeners", "1"]
    play += ["--json", str(played)]
    with (
        running("node", node, output, environment),
        running("recorder", record, output, environment) as recorder,
        running("player", play, output, environment) as player,
    ):
        _wait(player, "player", output, None)
        recorder.send_signal(signal.SIGINT)  # complete: in lockstep every answer was received before the next frame
        _wait(recorder, "recorder", output, PATIENCE_S)
    return SessionResult(read_tum(recording), read_play_report(played), read_record_report(recorded))


def _wait(process: subprocess.Popen[bytes], name: str, output: Path, seconds: float | None) -> None:
    log = output / f"{name}.log"
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise SessionError(f"the {name} of the demo did not end in {seconds} s: see {log}") from error
    if code != 0:
        raise SessionError(f"the {name} of the demo ended with exit code {code}: see {log} and {output / 'node.log'}")
