"""Files and pictures that the commands leave."""
