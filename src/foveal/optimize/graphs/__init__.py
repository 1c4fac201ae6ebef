"""Reading, simplifying and rewriting exported ONNX graphs; what the steps that work on graphs share."""
