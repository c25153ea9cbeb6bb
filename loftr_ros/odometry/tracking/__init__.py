"""From relative poses to a continuous track: motion model, motion limits, tracking loss."""
