"""ONNX Runtime for graphs with other outputs than a recognizer's."""

from typing import Any

from foveal.bundle.engines.onnxruntime import quiet_options, runtime


def session(model: bytes, *, threads: int) -> Any:
    """Return a quiet `onnxruntime.InferenceSession` that opens no file."""
    return runtime.InferenceSession(model, quiet_options(threads), providers=["CPUExecutionProvider"])
