"""LoFTR in PyTorch (arXiv 2104.00680): images in, matches out. No ROS, no OpenCV."""
