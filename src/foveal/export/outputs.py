"""Probabilities and logits of a graph for the pictures that it is calibrated and compared on."""

from collections.abc import Callable, Sequence

import numpy as np

from foveal.bundle.session import Float32, UInt8
from foveal.core.batches import batches
from foveal.data.sizing import evenly_spaced
from foveal.train.examples import Examples

MOST_COMPARED = 1000  # images of the parity gate; docs/bundle.md promises 500

Run = Callable[[UInt8], tuple[Float32, Float32]]


def outputs(run: Run, parts: Sequence[Examples]) -> tuple[Float32, Float32]:
    """Return probabilities and logits, each float32 (M, K), for the images of all parts laid end to end.

    Args:
        run: Of a `Session` or a `Predictor`.
        parts: Images at model size, at least one in all.
    """
    found = [run(batch) for part in parts for batch in batches(part.images, part.indices)]
    return np.concatenate([p for p, _ in found]), np.concatenate([z for _, z in found])


def spread(parts: Sequence[Examples]) -> list[Examples]:
    """Return at most `MOST_COMPARED` of the images, evenly spaced over all parts laid end to end."""
    ends = np.cumsum([len(part) for part in parts])
    chosen = np.array(evenly_spaced(int(ends[-1]), at_most=MOST_COMPARED), dtype=np.int64)
    pieces = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    starts = [0, *ends[:-1]]
    return [
        Examples(part.images, part.labels, part.indices[piece - start])
        for part, piece, start in zip(parts, pieces, starts, strict=True)
    ]
