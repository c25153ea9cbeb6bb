"""Check of live topics: publishers, rates, stamps, calibration and images, as the node would use them."""
