"""The table of parameters, their declaration, and the launch arguments."""
