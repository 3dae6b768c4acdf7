"""Where a place in the current image lies in the prior: one image registered to another."""
