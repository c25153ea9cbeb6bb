"""Checkpoints: pretrained weights, reading and writing of files, and the embedded checkpoint."""
