"""Checkpoints: what is published, how files are read and written, and the weights inside the package."""
