"""Structured reports written: Mammography CAD SR (TID 4000) and TID 1500."""
