"""Camera messages, live or from a bag: images, calibrations, and which topics are a camera. No ROS is imported."""
