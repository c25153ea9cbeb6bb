"""Makes checkpoints: synthetic scenes, supervision, losses and the loop (paper, section 3.5). torch only, no ROS."""
