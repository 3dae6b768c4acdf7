"""From stored pixel values to marks: decoding, gates, breast region, strips, ONNX Runtime."""

import os

# Lately ONNX Runtime would report its use to its makers: it keeps a number of the machine in the
# home folder, and posts what it counted. It reads this variable when it is imported; its own
# function for it comes too late. A node calls nobody but those in its settings.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
