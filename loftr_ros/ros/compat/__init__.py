"""What parts of ROS are installed: each module gives the one of ROS, or else its substitute, under the same names.

The ROS wheels of PyPI lack message_filters, tf2_ros, diagnostic_updater and cv_bridge.
"""
