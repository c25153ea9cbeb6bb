#!/bin/bash
# Creates a virtual environment for the node on top of the apt and ROS packages, with the packages only available by pip:
#   tools/robot_venv.sh FOLDER [OPTIONS OF PIP INSTALL]
# Build with FOLDER/bin/python -m colcon, so that the installed node runs this Python.
set -euo pipefail
folder=${1:?usage: tools/robot_venv.sh FOLDER [OPTIONS OF PIP INSTALL]}
shift
# ROS is compiled for the system's Python, even if conda or pyenv come first in PATH.
"${PYTHON:-/usr/bin/python3}" -m venv --system-site-packages "$folder"
touch "$folder/COLCON_IGNORE"
python=$folder/bin/python
# cv_bridge is compiled for one major version of NumPy. colcon requires setuptools < 80, PyTorch would install the newest.
next=$("$python" -c 'import numpy; print(int(numpy.__version__.split(".")[0]) + 1)')
"$python" -m pip install "numpy>=1.26,<$next" 'setuptools<80' 'safetensors>=0.4' 'torch>=2.2' "$@"
"$python" -c 'import cv2, numpy, safetensors, torch
print(f"PyTorch {torch.__version__}, GPU: {torch.cuda.is_available()}, NumPy {numpy.__version__}, OpenCV {cv2.__version__}")'
