"""Structured reports read back, the node's own and those of others, and explained."""
