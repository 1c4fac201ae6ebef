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

from foveal.bundle.engines import _contract
from foveal.bundle.ir import Ir
from foveal.bundle.session import UNKNOWN, Float32, Outputs, UInt8
from foveal.core import extras
from foveal.core.machine import usable_cpus

LARGEST = 32  # pictures of one compiled graph; six sizes at most are compiled
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_TYPES = {"f32": "float32", "u8": "uint8"}


@dataclass(frozen=True)
class _Compiled:
    """The graph for one batch size, with requests that wait to be used again: one for each call at once."""

    graph: Any
    outputs: tuple[str, ...]
    idle: deque[Any] = field(default_factory=deque)

    def run(self, images: UInt8) -> list[Float32]:
        try:
            request = self.idle.pop()
        except IndexError:
            request = self.graph.create_infer_request()
        request.infer({0: images}, share_inputs=True, share_outputs=True)
        # Copies: the next run of this request writes to the same memory.
        answers = [np.array(request.get_tensor(name).data) for name in self.outputs]
        self.idle.append(request)
        return answers


@dataclass(frozen=True)
class OpenVinoSession:
    """A model in OpenVINO; see `bundle.session.Session`."""

    engine: str
    precision: str
    input_shape: tuple[int, int, int]
    classes: int | None
    _outputs: tuple[str, ...]
    _model: Any = field(repr=False)
    _properties: dict[str, Any]
    _sizes: dict[int, _Compiled] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, images: UInt8) -> Outputs:
        """Return probabilities and logits, float32 (N, K), and how unknown pictures are where it says so."""
        if images.shape[1:] != self.input_shape or images.dtype != np.uint8:
            needed = ValueError(f"it takes uint8 (N, {', '.join(map(str, self.input_shape))})")
            raise _contract.cannot_run(self.engine, images.shape, needed)
        ends = [0, *divided(len(images))]
        try:
            if len(images) == 0:
                none = self.compiled(1).run(np.zeros((1, *self.input_shape), np.uint8))
                return Outputs(*(answer[:0] for answer in none))
            answers = [self.compiled(end - start).run(images[start:end]) for start, end in pairwise(ends)]
        except Exception as error:  # the engine's errors are RuntimeError and what it lets through
            raise _contract.cannot_run(self.engine, images.shape, error) from error
        return _contract.checked([np.concatenate(parts) for parts in zip(*answers, strict=True)], len(images))

    def compiled(self, size: int) -> _Compiled:
        """Return the graph for batches of a size, compiled the first time that it is asked for."""
        if size not in self._sizes:
            with self._lock:
                if size not in self._sizes:
                    self._sizes[size] = self._compile(size)
        return self._sizes[size]

    def _compile(self, size: int) -> _Compiled:
        fixed = self._model.clone()
        fixed.reshape([size, *self.input_shape])
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
    """Return a session for a classifier.

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
    shape = _contract.input_shape([(_name(port), _kind(port), _sides(port)) for port in graph.inputs])
    outputs = {_name(port): (_kind(port), _sides(port)) for port in graph.outputs}
    found, asked = _contract.classes(outputs), _contract.answered(outputs)
    session = OpenVinoSession(engine, precision, shape, found, asked, graph, properties)
    try:
        session.compiled(1)
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
    return next((name for name in ("images", *_contract.OUTPUTS, UNKNOWN) if name in names), ", ".join(names))


def _kind(port: Any) -> str:
    kind = str(port.element_type.get_type_name())
    return _TYPES.get(kind, kind)


def _sides(port: Any) -> list[int | None]:
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        return []
    return [None if side.is_dynamic else side.get_length() for side in shape]
