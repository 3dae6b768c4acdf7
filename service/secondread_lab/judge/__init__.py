"""How good the detector is: frozen test exams, scoring, per-site calibration."""
