"""OpenVINO on the processor: often faster where it is installed; the extra `openvino`.

Every graph is compiled for fixed batch sizes: int8 graphs with a free side crash on processors with AMX
(openvinotoolkit/openvino#37577).
"""

import platform
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.engines import _contract
from foveal.bundle.ir import Ir
from foveal.bundle.session import NEXT_WINDOW, UNKNOWN, WINDOW, Float32, Outputs, UInt8, no_window
from foveal.core import extras
from foveal.core.machine import usable_cpus

LARGEST = 32  # pictures of one compiled graph; six sizes at most are compiled
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_TYPES = {"f32": "float32", "u8": "uint8", "i64": "int64"}


@dataclass(frozen=True)
class _Compiled:
    """The graph for one batch size, with requests that wait to be used again: one for each call at once."""

    graph: Any
    outputs: tuple[str, ...]
    idle: deque[Any] = field(default_factory=deque)

    def run(self, given: dict[str, Any]) -> list[NDArray[Any]]:
        try:
            request = self.idle.pop()
        except IndexError:
            request = self.graph.create_infer_request()
        request.infer(given, share_inputs=True, share_outputs=True)
        # Copies: the next run of this request writes to the same memory.
        answers = [np.array(request.get_tensor(name).data) for name in self.outputs]
        self.idle.append(request)
        return answers


@dataclass(frozen=True)
class OpenVinoSession:
    """A model in OpenVINO; see `bundle.session.Session`."""

    engine: str
    precision: str
    input_shape: tuple[int, ...]
    window_shape: tuple[int, int] | None
    classes: int | None
    _outputs: tuple[str, ...]
    _model: Any = field(repr=False)
    _properties: dict[str, Any]
    _sizes: dict[tuple[int, int], _Compiled] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, images: UInt8, window: Float32 | None = None) -> Outputs:
        """Return probabilities and logits, float32 (N, K), and how unknown pictures are where it says so."""
        _contract.check_classifies(self._outputs)
        if len(images) == 0:
            return self._none(images.shape[1:])
        return _contract.checked(self._outputs, self._answers(images, window), len(images))

    def answer(self, images: UInt8) -> dict[str, NDArray[Any]]:
        """Return all that the graph answers for pictures, N ≥ 1, by name."""
        return _contract.named(self._outputs, self._answers(images, None))

    def _answers(self, images: UInt8, window: Float32 | None) -> list[NDArray[Any]]:
        picture = self.input_shape[-3:]
        frames = self.input_shape[0] if window is None or images.ndim != 5 else images.shape[1]
        shape = picture if self.window_shape is None else (frames, *picture)
        if images.shape[1:] != shape or images.dtype != np.uint8:
            needed = ValueError(f"it takes uint8 (N, {', '.join(map(str, shape))})")
            raise _contract.cannot_run(self.engine, images.shape, needed)
        if self.window_shape is not None and window is None:
            window = no_window(images, self.window_shape)
        ends = [0, *divided(len(images))]
        try:
            answers = []
            for start, end in pairwise(ends):
                given: dict[str, Any] = {"images": images[start:end]}
                if window is not None:
                    given[WINDOW] = np.ascontiguousarray(window[start:end])
                answers.append(self.compiled(end - start, frames).run(given))
        except Exception as error:  # the engine's errors are RuntimeError and what it lets through
            raise _contract.cannot_run(self.engine, images.shape, error) from error
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]

    def _none(self, shape: tuple[int, ...]) -> Outputs:
        one = self.run(np.zeros((1, *shape), np.uint8))
        window = None if one.window is None else one.window[:0]
        unknown = None if one.unknown is None else one.unknown[:0]
        return Outputs(one.probabilities[:0], one.logits[:0], unknown, window)

    def compiled(self, size: int, frames: int = 1) -> _Compiled:
        """Return the graph for batches of a size, compiled the first time that it is asked for.

        Args:
            size: Pictures, or clips.
            frames: Of a clip, as many as are new.
        """
        key = (size, 1 if self.window_shape is None else frames)
        if key not in self._sizes:
            with self._lock:
                if key not in self._sizes:
                    self._sizes[key] = self._compile(*key)
        return self._sizes[key]

    def _compile(self, size: int, frames: int) -> _Compiled:
        fixed = self._model.clone()
        picture = self.input_shape[-3:]
        if self.window_shape is None:
            fixed.reshape({"images": [size, *picture]})
        else:
            fixed.reshape({"images": [size, frames, *picture], WINDOW: [size, *self.window_shape]})
        return _Compiled(core().compile_model(fixed, "CPU", self._properties), self._outputs)


def divided(count: int) -> Iterator[int]:
    """Yield where the parts of a batch end: as many of the largest size as fit, then powers of two.

    >>> list(divided(37)), list(divided(0))
    ([32, 36, 37], [])
    """
    done = 0
    while done < count:
        done += min(LARGEST, 1 << ((count - done).bit_length() - 1))
        yield done


def precisions() -> tuple[str, ...]:
    """Return in which precisions it computes on this processor, "fp32" first.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    able = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    arm = platform.machine().lower() in ("aarch64", "arm64")
    return ("fp32", *["bf16"] * ("BF16" in able), *["fp16"] * (arm and "FP16" in able))


def openvino(model: bytes | Ir, *, threads: int, precision: str = "fp32") -> OpenVinoSession:
    """Return a session for a network.

    Nothing is sent anywhere and no file is opened. So many calls run side by side as the processors allow
    with `threads` each.

    Args:
        model: The serialized ONNX graph, or the same in OpenVINO's form: input `images` uint8 (N, H, W, C)
            with fixed H, W and C; outputs `probabilities` and `logits`, float32 (N, K), and perhaps
            `unknown`, float32 (N,).
        threads: How many threads one call of `run` may use.
        precision: One of `precisions()`; always set, as without it float32 becomes bf16 where the processor
            is faster at that (docs.openvino.ai, "Precision Control").

    Raises:
        MissingExtraError: OpenVINO is not installed.
        BundleError: The graph cannot be loaded, or has other inputs or outputs.
        UsageError: It does not compute in that precision.
    """
    _contract.check_precision("openvino", precision, precisions())
    engine = f"openvino {extras.openvino().__version__.partition('-')[0]}"
    streams = max(1, usable_cpus() // threads)
    properties = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams * threads,
        "ENABLE_CPU_PINNING": False,  # two sessions would be pinned to the same processors
    }
    try:
        graph = _read(model)
    except Exception as error:  # RuntimeError, and what its frontend lets through
        raise _contract.cannot_load(engine, error) from error
    takes = _contract.inputs([(_name(port), _kind(port), _sides(port)) for port in graph.inputs])
    outputs = {_name(port): (_kind(port), _sides(port)) for port in graph.outputs}
    found, asked = _contract.classes(outputs), _contract.answered(outputs)
    session = OpenVinoSession(engine, precision, takes.images, takes.window, found, asked, graph, properties)
    try:
        session.compiled(1, takes.images[0])
    except Exception as error:  # as above
        raise _contract.cannot_load(engine, error) from error
    return session


def _read(model: bytes | Ir) -> Any:
    if isinstance(model, bytes):
        return core().read_model(model)
    weights = np.frombuffer(model.weights, np.uint8)
    return core().read_model(model.xml, extras.openvino().Tensor(weights))


@cache
def core() -> Any:
    """Return OpenVINO's core, the only one of this process, which stays.

    Each core gives the thread that makes it another stack for signals and takes it back when it goes. With
    two of them one is left that is no longer there: the next Ctrl-C is a segmentation fault (2026.4).

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    return extras.openvino().Core()


def _name(port: Any) -> str:
    """Return what the contract calls an input or output; it may have other names beside."""
    names = sorted(port.names)
    scene = {name for told in _contract.SCENE_OUTPUTS for name in told}
    known = ("images", WINDOW, *_contract.OUTPUTS, UNKNOWN, NEXT_WINDOW, *scene)
    return next((name for name in known if name in names), ", ".join(names))


def _kind(port: Any) -> str:
    kind = str(port.element_type.get_type_name())
    return _TYPES.get(kind, kind)


def _sides(port: Any) -> list[int | None]:
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        return []
    return [None if side.is_dynamic else side.get_length() for side in shape]
