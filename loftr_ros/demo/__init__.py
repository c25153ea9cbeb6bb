"""The demo: a rendered room with exact ground truth, played to the node and evaluated."""
