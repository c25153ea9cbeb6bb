"""Compute budget of a frame: by parameters, output rate and GPU memory."""
