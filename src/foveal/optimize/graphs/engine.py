"""ONNX Runtime for graphs with other outputs than a recognizer's."""

import onnxruntime as runtime


def session(model: bytes, *, threads: int) -> runtime.InferenceSession:
    """Return a quiet session that opens no file and sends nothing."""
    runtime.disable_telemetry_events()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
