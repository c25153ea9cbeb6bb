"""Stand-ins for parts of ROS that the wheels lack."""
