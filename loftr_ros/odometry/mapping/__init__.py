"""Keyframes and the inverse depth of their cells."""
