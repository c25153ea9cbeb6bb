"""Result files of the commands."""
