"""How much computation goes into a frame, by rate and memory."""
