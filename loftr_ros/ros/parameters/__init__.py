"""The table of parameters, and what is made from it."""
