"""Sources of training pairs: rendered scenes, homographies, recorded RGB-D, MegaDepth."""
