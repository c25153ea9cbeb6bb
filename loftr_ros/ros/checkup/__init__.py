"""The check-up of live topics: what comes, how fast, and whether the node could use it."""
