"""From stored pixel values to marks: decoding, gates, breast region, strips, ONNX Runtime."""
