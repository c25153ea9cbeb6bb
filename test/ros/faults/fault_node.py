"""The node with a matcher that does what a file says: raise, hang, nan, huge, nothing, memory; nothing in it, match."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from loftr_ros.loftr.runtime.matcher import LoftrMatcher
from loftr_ros.matches import Matches
from loftr_ros.ros.main import main

order, match, within = Path(os.environ["MATCHER_ORDER"]), LoftrMatcher.match, LoftrMatcher._match
HANG_S = 6.0


def faulty(self, *features):
    what = order.read_text() if order.exists() else ""
    if what == "raise":
        raise RuntimeError("the matcher is out of order")
    if what == "exit":
        raise SystemExit(3)
    if what == "hang":
        time.sleep(HANG_S)
    if what == "nothing":
        return Matches.empty()
    matches = match(self, *features)
    points = matches.points_b.copy()
    if what == "nan":
        points[::2] = np.nan
    if what == "huge":
        points *= np.float32(1e30)
    return replace(matches, points_b=points)


def full(self, *features):
    """Let PyTorch run out of memory where it allocates its own."""
    if order.exists() and order.read_text() == "memory":
        torch.empty(1 << 50)
    return within(self, *features)


LoftrMatcher.match, LoftrMatcher._match = faulty, full
main()
