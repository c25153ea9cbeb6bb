"""The LoFTR network, from the backbone to the fine matches."""
