"""A ROS domain of our own, processes in it, and a rendered stereo sequence with known motion."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from loftr_ros.ros.compat import plain_filters

HERE = Path(__file__).parent
WIDTH, HEIGHT, FOCAL, BASELINE, FRAMES = 320, 240, 260.0, 0.2, 12
K = np.array([[FOCAL, 0, WIDTH / 2 - 0.5], [0, FOCAL, HEIGHT / 2 - 0.5], [0, 0, 1]])


@dataclass
class Ros:
    """Starts programs in one ROS domain that nobody else uses, and ends them."""

    environment: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *command: object) -> subprocess.Popen[str]:
        """Start a program; a path is a Python file, else the name of a module."""
        name, *arguments = map(str, command)
        program = [name] if name.endswith(".py") else ["-m", name]
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        return process

    def node(self, **parameters: object) -> subprocess.Popen[str]:
        """Start the node under test."""
        options = [option for item in parameters.items() for option in ("-p", "{}:={}".format(*item))]
        return self.start("loftr_ros.ros.main", "--ros-args", *options)

    def run(self, *command: object, timeout: float = 240) -> tuple[int, str, str]:
        """Run a program to its end; returns its exit code and what it said on stdout and stderr."""
        process = self.start(*command)
        output, errors = process.communicate(timeout=timeout)
        return process.returncode, output, errors

    def stop(self, process: subprocess.Popen[str], how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """End a program politely; returns its exit code and what it said on stderr."""
        process.send_signal(how)
        _, errors = process.communicate(timeout=30)
        return process.returncode, errors


@pytest.fixture
def ros() -> Iterator[Ros]:
    domain = str(1 + os.getpid() % 100)
    environment = {**os.environ, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": domain}
    # One thread: a second one waits for a busy core by spinning, which triples the time.
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "RCUTILS_COLORIZED_OUTPUT": "0"}
    ros = Ros(environment)
    yield ros
    for process in ros.running:
        process.kill()
        process.wait()


@pytest.fixture
def program() -> Callable[[str], Path]:
    """Find a program of these tests by its name."""
    return lambda name: HERE / "programs" / name


@pytest.fixture
def policy_file() -> Path:
    """The policy of SROS 2."""
    return HERE.parents[1] / "config" / "sros2" / "policy.xml"


@pytest.fixture
def policy(policy_file: Path) -> dict[str, set[str]]:
    """The names that the policy lets the node publish, subscribe to, reply to and request."""
    found: dict[str, set[str]] = {kind: set() for kind in ("publish", "subscribe", "reply", "request")}
    for group in ElementTree.parse(policy_file).getroot().iter():
        for kind in found:
            if group.get(kind) == "ALLOW":
                names = [str(one.text) for one in group]
                found[kind] |= {n if n[0] == "/" else f"/loftr/{n.replace('~', 'vo')}" for n in names}
    return found


@pytest.fixture(params=["ours", "message_filters"])
def filters(request: pytest.FixtureRequest) -> ModuleType:
    """What pairs messages by stamp: our part of message_filters, and that of ROS."""
    if request.param == "ours":
        return plain_filters
    return pytest.importorskip("message_filters", reason="needs message_filters, which the wheels of ROS do not have")


@pytest.fixture
def assert_consumers_take() -> Callable[[dict], None]:
    """Nav2's validator (nav2_util/validate_messages.hpp) and what robot_localization asks for; of collect.py."""

    def check(message: dict) -> None:
        assert message["frames"] == ["odom", "base_link"]
        assert abs(np.linalg.norm(message["quaternion"]) ** 2 - 1) < 1e-4
        assert np.isfinite(message["position"] + message["twist"]).all()
        for name in ("pose_covariance", "twist_covariance"):
            covariance = np.reshape(message[name], (6, 6))
            assert np.abs(covariance).max() <= 1e9
            np.testing.assert_allclose(covariance, covariance.T, atol=1e-15)
            assert np.linalg.eigvalsh(covariance).min() > 0, name

    return check


@dataclass(frozen=True)
class Rendered:
    """A stereo sequence in KITTI's layout, and T_world_camera (N, 4, 4) of its left camera."""

    path: Path
    poses: np.ndarray
    stamps_ns: list[int]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """A camera that moves forward, right, and turns before a wall and a nearer board."""
    path = tmp_path_factory.mktemp("rendered") / "sequences" / "00"
    walls = [(6.0, _texture(1), -8.0), (3.0, _texture(2), -8.8)]  # depth, picture, left edge in meters
    poses = []
    for index in range(FRAMES):
        R = Rotation.from_euler("y", 0.4 * index, degrees=True).as_matrix()
        center = np.array([0.02, 0.0, 0.05]) * index
        poses.append(np.block([[R, center[:, None]], [np.zeros(3), 1.0]]))
        for side in range(2):
            file = path / f"image_{side}" / f"{index:06d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), _view(walls, R, center + R @ [BASELINE * side, 0, 0]))
    rows = (f"P{c}: {FOCAL} 0 {K[0, 2]} {-FOCAL * BASELINE * c} 0 {FOCAL} {K[1, 2]} 0 0 0 1 0\n" for c in range(2))
    (path / "calib.txt").write_text("".join(rows))
    (path / "times.txt").write_text("".join(f"{1 + 0.1 * index:.1f}\n" for index in range(FRAMES)))
    return Rendered(path, np.array(poses), [10**9 + index * 10**8 for index in range(FRAMES)])


@pytest.fixture(scope="session")
def rendered_rgbd(rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The left images of `rendered` with depth, in the layout of the TUM RGB-D benchmark: all they show is 3 m away."""
    path = tmp_path_factory.mktemp("rendered_rgbd")
    (path / "depth").mkdir()
    rays = np.linalg.inv(K) @ np.stack([*np.mgrid[:HEIGHT, :WIDTH][::-1].reshape(2, -1), np.ones(HEIGHT * WIDTH)])
    for index, T in enumerate(rendered.poses):
        depth = (3.0 - T[2, 3]) / (T[2, :3] @ rays)
        cv2.imwrite(
            str(path / "depth" / f"{index}.png"), np.rint(5000 * depth).astype(np.uint16).reshape(HEIGHT, WIDTH)
        )
    rows = [(f"{stamp / 1e9:.1f}", index) for index, stamp in enumerate(rendered.stamps_ns)]
    images = (f"{stamp} {rendered.path}/image_0/{index:06d}.png\n" for stamp, index in rows)
    (path / "rgb.txt").write_text("".join(images))
    (path / "depth.txt").write_text("".join(f"{stamp} depth/{index}.png\n" for stamp, index in rows))
    calibration = {
        "image_width": WIDTH,
        "image_height": HEIGHT,
        "camera_matrix": {"data": K.ravel().tolist()},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"data": [0.0] * 5},
        "rectification_matrix": {"data": np.eye(3).ravel().tolist()},
        "projection_matrix": {"data": np.column_stack([K, np.zeros(3)]).ravel().tolist()},
    }
    (path / "camera.yaml").write_text(yaml.safe_dump(calibration))
    return Rendered(path, rendered.poses, rendered.stamps_ns)


@pytest.fixture(scope="session")
def half_size_way_back(rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images of `rendered` in reverse order, as from the same cameras at half the resolution."""
    path = tmp_path_factory.mktemp("way_back") / "sequences" / "00"
    for side in ("image_0", "image_1"):
        (path / side).mkdir(parents=True)
        for index in range(FRAMES):
            image = cv2.imread(str(rendered.path / side / f"{FRAMES - 1 - index:06d}.png"), cv2.IMREAD_GRAYSCALE)
            half = cv2.resize(image, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(path / side / f"{index:06d}.png"), half)
    (path / "times.txt").write_text((rendered.path / "times.txt").read_text())
    f, x, y = FOCAL / 2, (K[0, 2] - 0.5) / 2, (K[1, 2] - 0.5) / 2
    rows = (f"P{c}: {f} 0 {x} {-f * BASELINE * c} 0 {f} {y} 0 0 0 1 0\n" for c in range(2))
    (path / "calib.txt").write_text("".join(rows))
    return path


def _texture(seed: int) -> np.ndarray:
    """A (1200, 1600) picture with structure at many scales; 100 pixels are a meter."""
    rng = np.random.default_rng(seed)
    layers = [cv2.resize(rng.random((1200 // s, 1600 // s)), (1600, 1200)) for s in (4, 8, 20, 50, 200)]
    return cv2.normalize(sum(layers), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def _view(walls: list[tuple[float, np.ndarray, float]], R: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Draw walls that face the world's z axis, the farthest first, as seen from T_world_camera = (R, center)."""
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    for depth, picture, left in walls:
        meters = np.array([[0.01, 0, left], [0, 0.01, -6.0], [0, 0, 1]])
        plane = np.column_stack([R.T[:, 0], R.T[:, 1], R.T @ ([0, 0, depth] - center)])
        H = K @ plane @ meters
        seen = cv2.warpPerspective(np.ones_like(picture), H, (WIDTH, HEIGHT))
        image = np.where(seen, cv2.warpPerspective(picture, H, (WIDTH, HEIGHT), flags=cv2.INTER_AREA), image)
    return image
