"""The commands of the laboratory: simulate, evaluate, calibrate, compare."""
