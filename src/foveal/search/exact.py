"""The vectors most like a query by cosine, exactly: none is passed over, their order is that of the scores.

A score is computed in float64 from float32 vectors of length 1; equal scores come in the order of the rows.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.session import Float32
from foveal.core.errors import UsageError

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
_SLICE = 4096  # rows that are brought to float64 at once


@dataclass(frozen=True)
class Nearest:
    """What is most like a query, the most alike first.

    Attributes:
        rows: Of the vectors, int64 (K,).
        scores: Cosine in [-1, 1], float64 (K,).
        looked_at: For how many vectors all numbers were read.
    """

    rows: Int64
    scores: Float64
    looked_at: int = field(default=0, compare=False)


class Search(Protocol):
    """What finds the nearest vectors; see `Plain` and `search.bounded.Bounded`."""

    def __call__(self, query: Float32, *, top: int) -> Nearest:
        """Return the `top` vectors most like a query, or all where there are fewer."""
        ...


class Plain:
    """Reads every number of every vector for each query; nothing has to be prepared."""

    def __init__(self, units: Float32) -> None:
        """Hold vectors of length 1, or 0, float32 (N, D)."""
        self.units = units

    def __call__(self, query: Float32, *, top: int) -> Nearest:
        """Return the `top` vectors most like a query, float32 (D,), of any length above 0."""
        asked = prepared(query, self.units, top)
        return best(self.units, asked, self._likely(asked, top), top=top, read=len(self.units))

    def _likely(self, asked: Float32, top: int) -> Int64:
        """Return the rows that can be among the best, whatever float32 has rounded."""
        scores = self.units @ asked
        if len(scores) <= top:
            return np.arange(len(scores))
        least = np.partition(scores, -top)[-top]
        return np.flatnonzero(scores >= least - 2 * rounding(self.units.shape[1]))


def prepared(query: Float32, units: Float32, top: int) -> Float32:
    """Return a query with length 1.

    Raises:
        UsageError: Another dimension, numbers that are not finite, a query of length 0, or no `top`.
    """
    if query.shape != units.shape[1:] or not np.isfinite(query).all():
        raise UsageError(f"need {units.shape[1:]} finite numbers; got {query.shape}")
    length = np.linalg.norm(query.astype(np.float64))
    if not length > 0:
        raise UsageError(
            "the features of this picture are all 0: it is like nothing",
            code="no_features",
            hint="another backbone may see something in it",
        )
    if top < 1:
        raise UsageError(f"top must be at least 1; got {top}")
    return (query / length).astype(np.float32)


def rounding(dimensions: int) -> float:
    """Return how far a dot product of two vectors of length 1 can be from the truth in float32, at most.

    Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2002, §3.1: D·u for D products, with
    u = 2⁻²⁴; twice that, as the vectors themselves were rounded.
    """
    return 2 * (dimensions + 2) * 2.0**-24


def best(units: Float32, asked: Float32, rows: Int64, *, top: int, read: int) -> Nearest:
    """Return the best of some rows by their scores in float64.

    Args:
        units: float32 (N, D).
        asked: The query, float32 (D,).
        rows: Those that can be among the best, ascending, int64 (M,).
        top: How many are wanted.
        read: How many were looked at, for `Nearest`.
    """
    scores = np.concatenate(
        [np.empty(0), *(exact(units[rows[at : at + _SLICE]], asked) for at in range(0, len(rows), _SLICE))]
    )
    order = np.argsort(-scores, kind="stable")[:top]
    return Nearest(rows[order], scores[order].clip(-1, 1), read)


def exact(units: Float32, asked: Float32) -> Float64:
    """Return dot products in float64, each the same whatever other rows are there, (N,)."""
    products: Float64 = units.astype(np.float64)
    products *= asked
    total: Float64 = products.sum(axis=1)
    return total
