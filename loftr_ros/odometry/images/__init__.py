"""Frames, checks of their images, and sub-pixel refinement of matches on them."""
