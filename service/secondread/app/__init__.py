"""The one place that puts implementations together, and the processes they run in."""
