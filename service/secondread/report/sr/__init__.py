"""Structured reports: the Mammography CAD SR (TID 4000) and the measurement report (TID 1500)."""
