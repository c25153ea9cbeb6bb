"""The check-up of a source before odometry is run on it: findings of recorded and of live input, on one page."""
