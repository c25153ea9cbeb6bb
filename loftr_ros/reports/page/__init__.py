"""One self-contained HTML page about one or more runs: `loftr-ros report` and `loftr-ros compare`."""
