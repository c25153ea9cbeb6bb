"""The commands of `loftr-ros`, one module each: `add_arguments(parser)` and `main(args) -> exit code`."""
