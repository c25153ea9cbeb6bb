"""The demo: a rendered room with exact ground truth, played to the real node and measured."""
