"""LoFTR itself: the layers, from the backbone to the fine matches."""
