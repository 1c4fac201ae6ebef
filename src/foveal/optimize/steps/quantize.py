"""Static post-training quantization to 8-bit integers: about a quarter of the bytes, and integer kernels."""

import platform
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from foveal.bundle.session import UInt8
from foveal.core.errors import BundleError, UsageError
from foveal.core.machine import cpu_features
from foveal.core.random import stream
from foveal.optimize.dense_divergence import is_dense
from foveal.optimize.divergence import away_from
from foveal.optimize.graphs.integers import Scheme, ends, readers, tensors, weights_share, with_integers
from foveal.optimize.graphs.ranges import Method, Range, Values, observed, spans
from foveal.optimize.graphs.simplify import simplified

METHODS: tuple[Method, ...] = ("minmax", "percentile", "entropy")
_HELD_OUT = 4  # one picture of so many judges the methods instead of calibrating
_LEAST_SHARE = 0.5  # of the weights: where fewer become integers, the file hardly shrinks, and answers suffer
_SPARED = 0.5  # of the divergence: what has to be left for a layer to stay in float
_VNNI = {"AVX512-VNNI", "AVX-VNNI", "AMX-INT8"}
_ARM = {"NEON", "DOTPROD", "I8MM", "SVE"}


def preset(features: Sequence[str] | None = None) -> Scheme:
    """Return the scheme for a processor.

    x86 with VNNI or AMX: unsigned activations, 8-bit weights. ARM: signed activations. Everything else, also
    what nobody knows anything of: 7-bit weights, because such processors add pairs of products in 16 bits
    and would answer otherwise than the file says (`vpmaddubsw`).

    Args:
        features: Of `core.machine.cpu_features`; None asks this machine.
    """
    if features is None:
        features = cpu_features() or (("NEON",) if platform.machine() in ("arm64", "aarch64") else ())
    if _ARM.intersection(features):
        return Scheme(activations="int8")
    return Scheme(narrow=not _VNNI.intersection(features))


@dataclass(frozen=True)
class Calibrated:
    """A graph that is ready to become integers.

    Attributes:
        model: Simplified, in float.
        ranges: What the integers of each tensor span.
        method: How they were found.
        floats: Names of the layers that had better stay in float, of those that read the picture.
        answering: Names of the layers that stay in float in any case: the last ones of a graph that says what
            is where. Scores and sides of boxes need more than 256 numbers, and these layers are small.
    """

    model: bytes
    ranges: dict[str, Range]
    method: Method
    floats: tuple[str, ...] = ()
    answering: tuple[str, ...] = ()

    def rounded(self, scheme: Scheme, floats: Collection[str]) -> bytes:
        """Return the graph on integers; the layers that are named stay in float, and those that answer."""
        return with_integers(self.model, self.ranges, scheme, floats=(*self.answering, *floats))


def quantize(
    model: bytes,
    pictures: UInt8,
    *,
    scheme: Scheme | None = None,
    method: Method | Literal["best"] = "best",
    floats: Collection[str] = (),
) -> bytes:
    """Return the graph with convolutions, products, sums and pooling on 8-bit integers.

    Weights are rounded per output channel, activations per tensor. Temperature and softmax stay in float.

    Args:
        model: As `export.graph.graph` makes it; at any temperature, which is kept.
        pictures: uint8 (M, size, size, C), as the served preprocessing leaves them; M ≥ 1, 100 to 500 are
            enough. No labels are needed.
        scheme: Types and bits; None: `preset()` of this machine.
        method: How the spans of integers are found; `best` takes the one whose answers are nearest (mean KL)
            on every fourth picture, which then does not calibrate. It also leaves the layer that reads the
            picture in float where rounding that one costs more than rounding all others: filters that
            whiten subtract nearly equal numbers, and 8 bits are too few for their difference.
        floats: Names of `graphs.integers.units` that stay in float in any case.

    Raises:
        UsageError: No pictures, or of another kind than the graph takes.
        BundleError: `nothing_rounded`: most weights would stay in float.
    """
    scheme = scheme or preset()
    ready = calibrate(model, pictures, scheme=scheme, method=method)
    return ready.rounded(scheme, (*ready.floats, *floats))


def calibrate(
    model: bytes, pictures: UInt8, *, scheme: Scheme, method: Method | Literal["best"] = "best"
) -> Calibrated:
    """Return the simplified graph and the spans of its integers; arguments as for `quantize`."""
    if len(pictures) == 0:
        raise UsageError("integers are calibrated on one picture or more; got none", code="empty")
    plain = simplified(model)
    share = weights_share(plain)
    if 0 < share < _LEAST_SHARE:
        raise BundleError(
            f"8-bit integers would hold {share:.0%} of the weights: only those of convolutions and of "
            "classifiers become integers, not those of layers that see many vectors of a picture, and not "
            "those of recurrent ones",
            code="nothing_rounded",
            hint="what remains is fp32",
        )
    answering = ends(plain) if is_dense(plain) else ()
    if method != "best":
        ranges = spans(observed(plain, tensors(plain), pictures), method)
        return Calibrated(plain, ranges, method, answering=answering)
    learning, judging = divided(pictures)
    values = observed(plain, tensors(plain), learning)
    # What 4 bits do to the weights is the same whatever the spans are, and would hide what these do.
    return _nearest(plain, values, replace(scheme, four_bits=False), judging, answering)


def divided(pictures: UInt8) -> tuple[UInt8, UInt8]:
    """Return pictures that calibrate, and others that judge; a single picture does both."""
    order = stream(0, "quantize").permutation(len(pictures))
    judges = np.arange(len(order)) % _HELD_OUT == 0
    return pictures[order[~judges] if len(order) > 1 else order], pictures[order[judges]]


def _nearest(
    plain: bytes, values: dict[str, Values], scheme: Scheme, judging: UInt8, answering: tuple[str, ...]
) -> Calibrated:
    """Return the spans, and the layers left in float, whose answers are nearest to those in float."""
    away = away_from(plain, judging)
    ways = {one: Calibrated(plain, spans(values, one), one, answering=answering) for one in METHODS}
    costs = {one: away(way.rounded(scheme, ())) for one, way in ways.items()}
    method = min(METHODS, key=lambda one: costs[one])
    best, first = ways[method], readers(plain)
    if first and away(best.rounded(scheme, first)) < _SPARED * costs[method]:
        return replace(best, floats=first)
    return best
