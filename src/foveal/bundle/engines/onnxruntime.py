"""ONNX Runtime on the processor: the engine that is always there."""

from dataclasses import dataclass

import numpy as np
import onnxruntime as runtime

from foveal.bundle.session import Float32, UInt8
from foveal.core.errors import BundleError

_SILENT = 4  # only fatal messages; every error also arrives as an exception
_OUTPUTS = ("probabilities", "logits")
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class OnnxSession:
    """A model in ONNX Runtime; see `bundle.session.Session`."""

    engine: str
    input_shape: tuple[int, int, int]
    classes: int | None
    _session: runtime.InferenceSession

    def run(self, images: UInt8) -> tuple[Float32, Float32]:
        """Return probabilities and logits, float32 (N, K)."""
        try:
            probabilities, logits = self._session.run(_OUTPUTS, {"images": images})
        except Exception as error:  # the engine's errors have no common class
            raise BundleError(
                f"{self.engine} cannot run the model on {images.shape}: {_first_line(error)}",
                code="model_failed",
            ) from error
        _check_outputs(probabilities, logits, len(images))
        return probabilities, logits


def onnxruntime(model: bytes, *, threads: int) -> OnnxSession:
    """Return a session for an ONNX classifier.

    Nothing is sent anywhere, no file is opened (the graph must hold its weights), and waiting threads
    sleep instead of spinning: beside other work on the same processor that is faster.

    Args:
        model: The serialized graph: input `images` uint8 (N, H, W, C) with fixed H, W and C; outputs
            `probabilities` and `logits`, float32 (N, K).
        threads: How many threads one call of `run` may use.

    Raises:
        BundleError: The graph cannot be loaded, or has other inputs or outputs.
    """
    runtime.disable_telemetry_events()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _SILENT
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")  # what was screened, nothing else
    engine = f"onnxruntime {runtime.__version__}"
    try:
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the engine's errors have no common class
        raise BundleError(
            f"{engine} cannot load the model: {_first_line(error)}", code="bad_graph"
        ) from error
    return OnnxSession(engine, _input_shape(session), _classes(session), session)


def _input_shape(session: runtime.InferenceSession) -> tuple[int, int, int]:
    inputs = session.get_inputs()
    names = [(node.name, node.type) for node in inputs]
    if names != [("images", "tensor(uint8)")]:
        raise _contract(f"one input 'images' of uint8; it has {names}")
    batch, *shape = inputs[0].shape
    if isinstance(batch, int) or len(shape) != 3 or not all(isinstance(side, int) for side in shape):
        raise _contract(f"an input (N, height, width, channels) with only N free; it has {inputs[0].shape}")
    height, width, channels = shape
    return height, width, channels


def _classes(session: runtime.InferenceSession) -> int | None:
    outputs = {node.name: node for node in session.get_outputs()}
    names = sorted((node.name, node.type) for node in outputs.values())
    if names != sorted((name, "tensor(float)") for name in _OUTPUTS):
        raise _contract(f"the outputs 'probabilities' and 'logits' of float32; it has {names}")
    shapes = [outputs[name].shape for name in _OUTPUTS]
    if any(len(shape) != 2 for shape in shapes):
        raise _contract(f"outputs (N, classes); they are {shapes}")
    count = shapes[0][1]
    return count if isinstance(count, int) else None


def _check_outputs(probabilities: Float32, logits: Float32, count: int) -> None:
    good = probabilities.shape == logits.shape and len(probabilities) == count
    good = good and bool(np.isfinite(logits).all()) and bool((probabilities >= 0).all())
    if not good or np.abs(probabilities.sum(axis=1) - 1).max(initial=0) > _SUM_TOLERANCE:
        raise BundleError(
            "the model answered with what are no probabilities: NaN, infinite, negative or not summing to 1 "
            f"(for {count} pictures, shapes {probabilities.shape} and {logits.shape})",
            code="model_output_invalid",
            hint="train or export it again; its weights are not usable",
        )


def _contract(needed: str) -> BundleError:
    return BundleError(
        f"the model must have {needed}", code="bad_graph", hint="it is no bundle of foveal train"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
