"""Where a place in the current image is in the prior: one image registered to another."""
