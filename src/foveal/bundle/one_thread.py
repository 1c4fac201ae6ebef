"""A graph in ONNX Runtime that uses one thread a call: how many call at once then changes no digit."""

from typing import Any

from foveal.bundle.engines import _contract
from foveal.bundle.engines.onnxruntime import quiet_options
from foveal.bundle.graph import check_graph
from foveal.core import extras


def session_of(graph: bytes) -> Any:
    """Return a session, which several threads may call at once; no file is opened.

    Args:
        graph: ONNX, which is looked at before the engine sees it.

    Raises:
        BundleError: `bad_graph`: it reaches outside itself, or cannot be loaded.
    """
    check_graph(graph)
    engine = extras.onnxruntime()
    options = quiet_options(1)
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return engine.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the engine's errors have no common class
        raise _contract.cannot_load(f"onnxruntime {engine.__version__}", error) from error
