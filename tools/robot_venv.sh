#!/bin/bash
# Makes a virtual environment for the node over the packages of apt and ROS, with what only pip has:
#   tools/robot_venv.sh FOLDER [OPTIONS OF PIP INSTALL]
# Build with FOLDER/bin/python -m colcon, so that the installed node runs that Python.
set -euo pipefail
folder=${1:?usage: tools/robot_venv.sh FOLDER [OPTIONS OF PIP INSTALL]}
shift
# ROS is compiled for the system's Python, whatever conda or pyenv put first.
"${PYTHON:-/usr/bin/python3}" -m venv --system-site-packages "$folder"
touch "$folder/COLCON_IGNORE"
python=$folder/bin/python
# cv_bridge is compiled for one major version of NumPy. colcon asks for setuptools < 80, PyTorch for the newest.
next=$("$python" -c 'import numpy; print(int(numpy.__version__.split(".")[0]) + 1)')
"$python" -m pip install "numpy>=1.26,<$next" 'setuptools<80' 'safetensors>=0.4' 'torch>=2.2' "$@"
"$python" -c 'import cv2, numpy, safetensors, torch
print(f"PyTorch {torch.__version__}, GPU: {torch.cuda.is_available()}, NumPy {numpy.__version__}, OpenCV {cv2.__version__}")'
