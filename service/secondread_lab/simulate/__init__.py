"""Simulated follow-up exams with known truth, for the demo, tests, evaluation and training."""
