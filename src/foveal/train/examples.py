"""What is trained on and asked about; no torch, so that serving can say what it measures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pool:
    """Pictures without labels beside those that have some.

    Attributes:
        images: uint8 (M, H, W, C), usually memory-mapped.
        indices: The rows that may be used, int64 (N,).
    """

    images: NDArray[np.uint8]
    indices: NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """What is trained on: rows of a store.

    Attributes:
        images: uint8 (M, H, W, C), usually memory-mapped.
        labels: int64 (M,).
        indices: The rows that may be used, int64 (N,).
        units: For each row a number that it shares with those it belongs together with (frames of one track,
            copies), int64 (M,); None: each stands alone.
        pool: More pictures, without labels; None: there are none.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    units: NDArray[np.int64] | None = None
    pool: Pool | None = None

    def __len__(self) -> int:
        return len(self.indices)
