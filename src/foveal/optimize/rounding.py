"""Graphs with coarser numbers, by name: what `foveal optimize` tries and `foveal export --variant` makes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import onnx

from foveal.bundle.session import UInt8
from foveal.core.errors import BundleError, UnknownNameError
from foveal.core.progress import Progress, silent
from foveal.data.sizing import evenly_spaced
from foveal.export.lowering import Lowering
from foveal.export.unknown import without_unknown
from foveal.optimize.steps.int4 import int4
from foveal.optimize.steps.mixed_precision import LESS, mixed_precision
from foveal.optimize.steps.quantize import preset, quantize
from foveal.train.examples import Examples

SHOWN = 256  # pictures that show integers their ranges


@dataclass(frozen=True)
class Rounding:
    """One way to round a graph.

    Attributes:
        step: What the bundle's manifest calls it.
        precision: Of most weights as they are computed with: those in 4 bits of an int8 graph become int8
            once, when it is loaded.
        make: From an exported graph and pictures that may be looked at to the rounded graph; told are the
            layers that were tried, where it tries many.
    """

    step: str
    precision: Literal["int8", "int4"]
    make: Callable[[bytes, UInt8, Progress], bytes]


def _eight_bits(model: bytes, shown: UInt8, _progress: Progress) -> bytes:
    return quantize(model, shown)


def _mixed(model: bytes, shown: UInt8, progress: Progress) -> bytes:
    """Return the mixed graph; who asks for it was not content with int8, so it is never just that.

    What int8 changes may be within the usual limit on a few pictures and still be too much on many: then half
    of it is the limit.
    """
    found = mixed_precision(model, shown, progress=progress)
    if not found.sensitivities:
        found = mixed_precision(model, shown, most_kl=LESS * found.mean_kl, progress=progress)
    return found.model


def _four_bits(model: bytes, shown: UInt8, _progress: Progress) -> bytes:
    return quantize(model, shown, scheme=replace(preset(), four_bits=True))


def _weights_in_four_bits(model: bytes, _shown: UInt8, _progress: Progress) -> bytes:
    return int4(model)


ROUNDINGS = {
    "int8": Rounding("quantize", "int8", _eight_bits),
    "mixed": Rounding("mixed_precision", "int8", _mixed),
    "w4a8": Rounding("quantize_w4a8", "int8", _four_bits),
    "int4": Rounding("int4", "int4", _weights_in_four_bits),
}


_IN_FOUR_BITS = ("w4a8", "int4")


def rounded(model: bytes, shown: UInt8, name: str, *, progress: Progress = silent) -> Lowering:
    """Return a graph with coarser numbers.

    Args:
        model: As `export.graph.graph` makes it.
        shown: Pictures at model size that nothing is judged by, uint8 (M, S, S, C), M ≥ 1.
        name: One of `ROUNDINGS`.
        progress: Told about the layers where many graphs are tried.

    Raises:
        UnknownNameError: No such rounding.
        BundleError: `nothing_rounded`: it left all as it was.
    """
    if name not in ROUNDINGS:
        raise UnknownNameError("roundings", name, ROUNDINGS)
    way = ROUNDINGS[name]
    made = way.make(without_unknown(model), shown, progress)
    graph = onnx.load_from_string(made).graph
    if all(node.op_type != "DequantizeLinear" for node in graph.node):
        raise BundleError(
            f"{name} changes nothing: the network has no layer that becomes integer",
            code="nothing_rounded",
            hint="what remains is fp32",
        )
    if name in _IN_FOUR_BITS and all(t.data_type != onnx.TensorProto.INT4 for t in graph.initializer):
        raise BundleError(
            f"{name} changes nothing: the network has no layer that is large enough for 4 bits",
            code="nothing_rounded",
            hint="int8 is as small",
        )
    return Lowering(made, way.precision, (way.step,))


def some(learning: Examples, count: int = SHOWN) -> UInt8:
    """Return pictures that may be looked at, evenly spaced, uint8 (≤ count, S, S, C).

    Args:
        learning: What was learned from.
        count: How many at most.
    """
    places = evenly_spaced(len(learning), at_most=count)
    return np.asarray(learning.images[np.sort(learning.indices[places])])
