"""Layouts of public data sets, each in its original form; recognized by their files."""
