"""Exact search that reads a fraction of the numbers: what cannot be among the best is left out by a bound.

A product of a matrix with a vector takes as long as reading the matrix. So the vectors are centred and turned
to their principal directions, of which the first ones are kept as bytes. For a query q and a vector x = μ + d
with the kept part p̂ of d

    q·x ≤ q·μ + q̂·p̂ + ‖q - q̂‖ ‖p̂‖ + ‖q₁‖ ‖p - p̂‖ + ‖q₂‖ ‖d₂‖

by Cauchy and Schwarz, where q₁ is the query in the kept directions and q₂ in the others. The true scores of
those that seem best give a limit that the best reach in truth; every vector whose bound is at least that is
looked at in full, and no other can be among the best. Data for which the bound is weak costs time, never a
result. Source of the idea: Weber, Schek & Blott, "A Quantitative Analysis and Performance Study for
Similarity-Search Methods in High-Dimensional Spaces", 1998 (VA-file).
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from foveal.bundle.session import Float32
from foveal.core.parallel import in_order
from foveal.core.random import stream
from foveal.search.exact import Float64, Int64, Nearest, Plain, best, exact, prepared, rounding
from foveal.search.integer_product import MOST, IntegerProduct

LEAST = 10_000  # vectors below which reading all of them takes a millisecond or two
_SAMPLED = 4096  # vectors that the choice of directions rests on
_ASKED = 32  # of them as queries
_TOP = 10  # results that the choice is made for
_WIDTHS = (32, 64, 128, 256, 512, 1024)
_MORE = 4  # times the wanted results whose true scores make the limit
_FEWEST = 64
_SCATTERED = 6  # times as long as in a row it takes to read a row here and there
_GIVE_UP = 0.1  # share of the vectors above which reading all in a row is faster
_ROWS = 1 << 20  # of one product
_STEPS = (
    128 * MOST // 2
)  # a query's numbers lie within so many steps on both sides of 0: two digits of 7 bits


class _Part(NamedTuple):
    """Vectors from `start` on.

    `sums` are those of their bytes; the other three multiply the three lengths in the bound.
    """

    start: int
    product: IntegerProduct
    sums: Float64
    lengths: Float32
    rounded: Float32
    left: Float32


class Bounded:
    """Exact search over many vectors, prepared once."""

    def __init__(self, units: Float32, *, width: int | None = None, threads: int = 1) -> None:
        """Prepare.

        Args:
            units: Of length 1, or 0, float32 (N, D), N ≥ 1.
            width: Directions that are kept; None: as a sample of the vectors suggests.
            threads: Parts that are read at once.
        """
        self.units, self._threads = units, threads
        rows = np.sort(stream(0, "search").permutation(len(units))[:_SAMPLED])
        sample = units[rows].astype(np.float64)
        self._mean = sample.mean(axis=0)
        centred = sample - self._mean
        directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
        self.width = min(width or _width(units, centred @ directions, directions, self._mean), units.shape[1])
        self._directions = directions[:, : self.width].astype(np.float32)
        self._centre = self._mean.astype(np.float32)
        count = max(threads, -(-len(units) // _ROWS))
        cuts = np.linspace(0, len(units), count + 1).astype(int).tolist()
        kept = [self._kept(units[start:end]) for start, end in itertools.pairwise(cuts)]
        self._scale = _scale([part[0] for part in kept])
        self._parts = [self._part(start, *part) for start, part in zip(cuts, kept, strict=False)]
        self._slack = 4 * rounding(units.shape[1])

    def __call__(self, query: Float32, *, top: int) -> Nearest:
        """Return the `top` vectors most like a query, float32 (D,), of any length above 0."""
        asked = prepared(query, self.units, top)
        if top >= len(self.units):
            return Plain(self.units)(query, top=top)
        seeming, slack = self._bounds(asked)
        some = min(len(seeming), max(_FEWEST, _MORE * top))
        first = np.flatnonzero(seeming >= np.partition(seeming, -some)[-some])[: 2 * some]
        limit = np.partition(exact(self.units[first], asked), -top)[-top]
        rows = np.flatnonzero(seeming + slack >= limit)
        if len(rows) > _GIVE_UP * len(self.units):
            return Plain(self.units)(query, top=top)
        return self._best(asked, rows, top)

    def _best(self, asked: Float32, rows: Int64, top: int) -> Nearest:
        """Return the best of some rows; those that float32 already rules out need no float64."""
        scores = self.units[rows] @ asked
        least = np.partition(scores, -top)[-top] - 2 * rounding(self.units.shape[1])
        return best(self.units, asked, rows[scores >= least], top=top, read=len(rows))

    def _bounds(self, asked: Float32) -> tuple[Float32, Float32]:
        """Return for each vector what its score seems to be, and how much more it may be at most, (N,)."""
        turned = asked @ self._directions
        outside = np.sqrt(max(0.0, 1.0 - float(turned @ turned)) + self._slack)
        scaled = turned.astype(np.float64) * self._scale
        step = max(float(np.abs(scaled).max()), 1e-12) / _STEPS
        whole = np.rint(scaled / step)
        lost = float(np.linalg.norm(scaled - whole * step))
        digits = np.stack(np.divmod(whole + _STEPS, 128)).astype(np.uint8)
        offset = float(asked.astype(np.float64) @ self._mean)
        inside = float(np.linalg.norm(turned))

        def bound(part: _Part) -> tuple[Float32, Float32]:
            high, low = part.product(digits)
            seeming = high * 128.0
            seeming += low
            seeming -= part.sums
            seeming *= step
            seeming += offset
            slack = part.lengths * np.float32(lost)
            slack += part.rounded * np.float32(inside)
            slack += part.left * np.float32(outside)
            slack += np.float32(self._slack)
            return seeming.astype(np.float32), slack

        found = list(in_order(bound, self._parts, workers=self._threads, name="search"))
        if len(found) == 1:
            return found[0]
        return np.concatenate([one for one, _ in found]), np.concatenate([other for _, other in found])

    def _kept(self, units: Float32) -> tuple[Float32, Float32]:
        """Return vectors in the kept directions, (N, P), and their length in the others, (N,)."""
        centred = units - self._centre
        kept = centred @ self._directions
        squared = np.einsum("nd,nd->n", centred, centred) - np.einsum("np,np->n", kept, kept)
        return kept, np.sqrt(np.maximum(squared, 0) + 8 * rounding(units.shape[1])).astype(np.float32)

    def _part(self, start: int, kept: Float32, left: Float32) -> _Part:
        whole = np.rint(kept / self._scale.astype(np.float32))
        kept -= whole * self._scale.astype(np.float32)
        rounded = np.linalg.norm(kept, axis=1).astype(np.float32)
        rows = whole.astype(np.int8)
        lengths = np.linalg.norm(whole, axis=1).astype(np.float32)
        sums = rows.sum(axis=1, dtype=np.int64).astype(np.float64) * _STEPS
        return _Part(start, IntegerProduct(rows), sums, lengths, rounded, left)


def _scale(kept: Sequence[Float32]) -> Float64:
    """Return for each direction what one step of its bytes is worth, (P,)."""
    largest = np.max([np.abs(part).max(axis=0) for part in kept], axis=0).astype(np.float64)
    scale: Float64 = np.maximum(largest, 1e-12) / 127
    return scale


def _width(units: Float32, turned: Float64, directions: Float64, mean: Float64) -> int:
    """Return how many directions to keep so that the fewest bytes are read.

    Some of the vectors are asked for: with each number of directions, their bounds tell how many others would
    have to be looked at in full.

    Args:
        units: float32 (N, D).
        turned: A sample of them, centred, in all directions, (S, D).
        directions: Their directions as columns, (D, D).
        mean: Of the sample, (D,).
    """
    count, dimensions = units.shape
    asked: Float32 = (turned[:: max(1, len(turned) // _ASKED)][:_ASKED] @ directions.T + mean).astype(
        np.float32
    )
    scores = asked @ units.T
    limits = np.partition(scores, -min(count, _TOP), axis=1)[:, -min(count, _TOP)]
    ahead = asked.astype(np.float64) @ directions
    widths: list[int] = [*(width for width in _WIDTHS if width < dimensions), dimensions]

    def cost(width: int) -> float:
        inside, outside = ahead[:, :width], np.linalg.norm(ahead[:, width:], axis=1)
        bound = inside @ turned[:, :width].T + (asked @ mean)[:, None]
        bound += outside[:, None] * np.linalg.norm(turned[:, width:], axis=1)
        share = float((bound >= limits[:, None]).mean())
        in_full = _SCATTERED * share if share <= _GIVE_UP else 1.0
        return float(width + 4 * dimensions * in_full)

    return min(widths, key=cost)


def search_of(units: Float32, *, threads: int = 1) -> Plain | Bounded:
    """Return the search for many queries among vectors of length 1, or 0, float32 (N, D)."""
    return Plain(units) if len(units) < LEAST else Bounded(units, threads=threads)
