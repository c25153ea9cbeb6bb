"""The ROS 2 node and its command line companions: the only place that imports rclpy."""
