"""Numbers as an engine in bf16 keeps them."""

import numpy as np

from foveal.calibrate.unknowns._score import Float32


def in_bf16(values: Float32) -> Float32:
    """Return float32 values rounded to the 8 significant bits that bf16 has, to the nearest, ties to even.

    >>> in_bf16(np.array([257.0, 1.001], np.float32)).tolist()
    [256.0, 1.0]
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    kept = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return kept.view(np.float32)
