"""What the node publishes: odometry, TF, matches, diagnostics."""
