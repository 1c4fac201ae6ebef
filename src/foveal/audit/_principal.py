"""Features along the directions in which they vary most."""

import numpy as np
from numpy.typing import NDArray


def principal(features: NDArray[np.floating], *, most: int) -> NDArray[np.float64]:
    """Return centred features along their top right singular vectors, float64 (N, min(most, N, D)).

    The sign of a column means nothing.

    Args:
        features: float (N, D).
        most: Columns, those of the largest singular values first.
    """
    centred = features.astype(np.float64)
    centred -= centred.mean(axis=0)
    if len(centred) < centred.shape[1]:  # the smaller of the two products tells as much
        squares, left = np.linalg.eigh(centred @ centred.T)
        return np.asarray((left * np.sqrt(squares.clip(min=0)))[:, ::-1][:, :most])
    _, right = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ right[:, ::-1][:, :most])
