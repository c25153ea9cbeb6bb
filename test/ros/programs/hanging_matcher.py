"""The node with a matcher that once hangs for some seconds, as on a device that another program occupies."""

import itertools
import time

from loftr_ros.loftr.runtime.matcher import LoftrMatcher
from loftr_ros.ros.main import main

match, calls = LoftrMatcher.match, itertools.count()


def hang_once(self, *features):
    if next(calls) == 2:
        time.sleep(5)
    return match(self, *features)


LoftrMatcher.match = hang_once
main()
