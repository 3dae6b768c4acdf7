"""The durable reading of a study: the order of its steps, the steps, what they record."""
