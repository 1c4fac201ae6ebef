"""Independent random streams, each a pure function of the seed and of what it is for.

No stream has a position to save: the stream of step 1000 is made from the number 1000. That is what
lets a killed run go on bit-exactly, and keeps one use of randomness from shifting another.
"""

import hashlib

import numpy as np


def seed_for(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed for one purpose, e.g. `seed_for(0, "augment", step)`.

    >>> seed_for(0, "augment", 1) != seed_for(0, "augment", 2)
    True
    """
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a numpy generator for one purpose; equal arguments give equal numbers anywhere."""
    return np.random.default_rng(seed_for(seed, *purpose))
