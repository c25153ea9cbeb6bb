"""Training of checkpoints: data, supervision, losses and training loop (paper, section 3.5). No ROS."""
