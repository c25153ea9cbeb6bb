"""Visual odometry from LoFTR matches (arXiv 2104.00680), with and without ROS 2.

The layers, and who may import whom, are described in docs/architecture.md.
"""

__version__ = "0.1.0"
