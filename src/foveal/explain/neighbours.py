"""The training pictures that a recognizer takes for most alike: nearest in its last features."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

_AT_ONCE = 256  # queries whose similarities are in memory together


@dataclass(frozen=True)
class Neighbour:
    """A known picture that is near.

    Attributes:
        index: Its row among the known.
        similarity: Cosine of the angle between the features, -1 to 1.
    """

    index: int
    similarity: float


@dataclass(frozen=True)
class NearPicture:
    """A training picture that a network takes for like another, ready to be shown.

    Attributes:
        source: Its name.
        label: Its class.
        similarity: Cosine of the angle between the features, -1 to 1.
        image: At model size, uint8 (size, size, channels).
    """

    source: str
    label: str
    similarity: float
    image: NDArray[np.uint8] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return an entry of the document's `nearest`."""
        return {"source": self.source, "label": self.label, "similarity": self.similarity}


def nearest(
    queries: NDArray[np.floating],
    known: NDArray[np.floating],
    *,
    count: int,
    itself: Sequence[frozenset[int]] | None = None,
) -> list[tuple[Neighbour, ...]]:
    """Return for each query the nearest known pictures by cosine, the most similar first.

    Args:
        queries: Features (M, D).
        known: Features (N, D).
        count: How many; fewer where there are no more.
        itself: For each query the rows that are the same picture and do not count; None: there are none.

    Raises:
        UsageError: The shapes do not fit.
    """
    if queries.ndim != 2 or known.ndim != 2 or queries.shape[1] != known.shape[1]:
        raise UsageError(f"need features (M, D) and (N, D); got {queries.shape} and {known.shape}")
    if itself is not None and len(itself) != len(queries):
        raise UsageError(f"need one set of rows per query; got {len(itself)} for {len(queries)}")
    found = []
    directions = _directions(known)
    for start in range(0, len(queries), _AT_ONCE):
        similarities = _directions(queries[start : start + _AT_ONCE]) @ directions.T
        for place, row in enumerate(similarities, start):
            if itself is not None:
                row[list(itself[place])] = -np.inf
            order = np.argsort(-row, kind="stable")[:count]
            found.append(tuple(Neighbour(int(i), float(row[i])) for i in order if np.isfinite(row[i])))
    return found


def _directions(features: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = features.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(lengths > 0, lengths, 1), dtype=np.float64)
