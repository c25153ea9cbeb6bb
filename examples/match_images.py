"""Match two images and estimate the relative pose of their cameras: match_images.py A.png B.png [FOCAL_LENGTH_PX].

Without the focal length a field of view of 60 degrees is assumed; calibrate the camera for an accurate pose.
"""

import math
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros import Camera, load_matcher, relative_pose


def read_gray(path: str) -> NDArray[np.uint8]:
    """Read an image as (H, W) gray values."""
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if image is None:
        sys.exit(f"{path} cannot be read as an image")
    return image.astype(np.uint8)


image_a, image_b = read_gray(sys.argv[1]), read_gray(sys.argv[2])
matcher = load_matcher()
matches = matcher.match(matcher.extract(image_a), matcher.extract(image_b))
print(f"{len(matches)} matches; the first: {matches.points_a[:1]} -> {matches.points_b[:1]} (pixels)")

height, width = image_a.shape
focal = float(sys.argv[3]) if len(sys.argv) > 3 else width / 2 / math.tan(math.radians(30))
camera = Camera(width, height, np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]))
pose = relative_pose(matches, camera)
if pose is None:
    sys.exit("too few matches are consistent with one motion")
print(f"{pose.inliers.sum()} inliers; T_a_b, its translation of unit length:\n{pose.T_a_b.round(4)}")
