"""ONNX Runtime on the processor: the engine that is always there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from foveal.bundle.engines import _contract
from foveal.bundle.session import WINDOW, Float32, Outputs, UInt8, no_window
from foveal.core import extras

runtime = extras.onnxruntime()
_SILENT = 4  # only fatal messages; every error also arrives as an exception
_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(int64)": "int64"}


@dataclass(frozen=True)
class OnnxSession:
    """A model in ONNX Runtime; see `bundle.session.Session`."""

    engine: str
    precision: str
    input_shape: tuple[int, ...]
    window_shape: tuple[int, int] | None
    classes: int | None
    _outputs: tuple[str, ...]
    _session: Any

    def run(self, images: UInt8, window: Float32 | None = None) -> Outputs:
        """Return probabilities and logits, float32 (N, K), and how unknown pictures are where it says so."""
        _contract.check_classifies(self._outputs)
        given: dict[str, Any] = {"images": images}
        if self.window_shape is not None:
            given[WINDOW] = no_window(images, self.window_shape) if window is None else window
        return _contract.checked(self._outputs, self._answers(given), len(images))

    def answer(self, images: UInt8) -> dict[str, NDArray[Any]]:
        """Return all that the graph answers for pictures, by name."""
        return _contract.named(self._outputs, self._answers({"images": images}))

    def _answers(self, given: dict[str, Any]) -> list[NDArray[Any]]:
        try:
            answers: list[NDArray[Any]] = self._session.run(self._outputs, given)
        except Exception as error:  # the engine's errors have no common class
            raise _contract.cannot_run(self.engine, given["images"].shape, error) from error
        return answers


def precisions() -> tuple[str, ...]:
    """Return in which precisions it computes here: its kernels for processors are float32."""
    return ("fp32",)


def onnxruntime(model: bytes, *, threads: int, precision: str = "fp32") -> OnnxSession:
    """Return a session for an ONNX graph; no file is opened (the graph must hold its weights).

    Args:
        model: The serialized graph: input `images` uint8 (N, H, W, C) with fixed H, W and C; outputs
            `probabilities` and `logits`, float32 (N, K), and perhaps `unknown`, float32 (N,). Of clips
            also `window`, see `_contract.inputs`. Or what says where something is, see `SCENE_OUTPUTS`.
        threads: How many threads one call of `run` may use.
        precision: One of `precisions()`.

    Raises:
        BundleError: The graph cannot be loaded, or has other inputs or outputs.
        UsageError: It does not compute in that precision.
    """
    _contract.check_precision("onnxruntime", precision, precisions())
    options = quiet_options(threads)
    options.add_session_config_entry("session.load_model_format", "ONNX")  # what was screened, nothing else
    engine = f"onnxruntime {runtime.__version__}"
    try:
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the engine's errors have no common class
        raise _contract.cannot_load(engine, error) from error
    takes = _contract.inputs([(node.name, _kind(node), _sides(node)) for node in session.get_inputs()])
    outputs = {node.name: (_kind(node), _sides(node)) for node in session.get_outputs()}
    asked = _contract.answered(outputs)
    return OnnxSession(
        engine, precision, takes.images, takes.window, _contract.classes(outputs), asked, session
    )


def quiet_options(threads: int) -> Any:
    """Return options of a session that sends nothing anywhere and runs one operator after the other.

    Waiting threads sleep instead of spinning: beside other work on the same processor that is faster.
    """
    runtime.disable_telemetry_events()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _SILENT
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _kind(node: Any) -> str:
    return _TYPES.get(node.type, str(node.type))


def _sides(node: Any) -> Sequence[int | None]:
    """Return the shape of an input or output; a side with a name, or with none, is free."""
    return [side if isinstance(side, int) else None for side in node.shape]
