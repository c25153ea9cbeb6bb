"""Installs the package with pip and with colcon (ament_python).

Dependencies are ranges here; constraints.txt pins the tested versions.
"""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "loftr_ros"

REQUIREMENTS = [
    "matplotlib>=3.5",
    "numpy>=1.26",
    # Any build of OpenCV works, as no window is opened. If another one provides cv2 (apt's python3-opencv,
    # opencv-python), install with --no-deps or build with colcon, which uses the dependencies of package.xml.
    "opencv-python-headless>=4.6",
    "pillow>=9.1",
    "PyYAML>=5.4",
    "rich>=11.2",
    "rosbags>=0.11",
    "rosbags-image>=0.10",
    "safetensors>=0.4",
    "scipy>=1.8",
    "torch>=2.2",
]
TRAINING = ["h5py", "tensorboard"]
# For `make docs`.
DOCUMENTATION = ["furo", "myst-parser", "sphinx"]
# For `loftr-ros run --rerun`.
RERUN = ["rerun-sdk>=0.23"]
# For EfficientLoFTR in bench/speed.py; kornia is in DEVELOPMENT.
BENCHMARKS = ["transformers"]
# `colcon test` runs pytest because the extra `test` names it.
TESTS = ["hypothesis", "pytest>=7.2"]
# evo is licensed under the GPL: a test runs its programs and compares results; it is not imported.
DEVELOPMENT = [
    "evo",
    "kornia",
    "mypy",
    "POT",
    "pytest-xdist",
    "ruff",
    "scipy-stubs",
    "types-PyYAML",
    *TESTS,
    *TRAINING,
]


def ros_wheels(distro: str) -> list[str]:
    """ROS 2 wheels from PyPI, for machines without an installed ROS."""
    messages = ["diagnostic", "geometry", "lifecycle", "nav", "sensor", "std"]
    packages = ["rclpy[fastrtps]", "std-srvs", *(f"{name}-msgs" for name in messages)]
    return [f"ros-{distro}-{package}" for package in packages]


def shared(folder: str) -> tuple[str, list[str]]:
    """All files of a folder, installed to share/loftr_ros/FOLDER."""
    return f"share/{NAME}/{folder}", sorted(str(path) for path in Path(folder).glob("*.*"))


setup(
    description="Visual odometry from LoFTR matches, with and without ROS 2",
    license="Apache-2.0",
    maintainer="loftr_ros maintainers",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        NAME: ["py.typed"],
        f"{NAME}.loftr.weights": ["*.safetensors", "*.md"],
        f"{NAME}.reports.page": ["assets/*"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        shared("launch"),
        shared("config"),
        shared("config/sros2"),
    ],
    install_requires=REQUIREMENTS,
    extras_require={
        "train": TRAINING,
        "test": TESTS,
        "rerun": RERUN,
        "bench": BENCHMARKS,
        "docs": DOCUMENTATION,
        "dev": DEVELOPMENT,
        "kilted": ros_wheels("kilted"),
        "jazzy": ros_wheels("jazzy"),
    },
    entry_points={
        "console_scripts": [
            "loftr-ros = loftr_ros.cli:main",
            "vo_node = loftr_ros.ros.main:main",
            "check = loftr_ros.ros.checkup.main:main",
        ],
    },
)
