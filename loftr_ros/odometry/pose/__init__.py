"""The relative pose of two frames: hypotheses, robust refinement, covariance and degeneracies."""
