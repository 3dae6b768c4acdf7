"""The laboratory: simulated exams with their truth, and the judging of a model against truth.

- `simulate`: four-view exams of a treated breast with their priors, and exact truth.
- `judge`: a model against annotated, simulated and hybrid images; pairs of exams; calibration.
- `commands`: the commands of `secondread` that belong to the laboratory.

The node imports nothing from here but through its demonstration and these commands.
"""
