"""Keep freed memory for the next step.

Every step frees blocks of tens of megabytes and asks for the same ones again. glibc takes blocks above
32 MB from the system one at a time and gives each back when it is freed, so the system maps and clears
their pages anew in every step: up to a fifth of the training time (docs/decisions/0008-training-speed.md).
Source of the switches: mallopt(3), M_MMAP_MAX and M_TRIM_THRESHOLD.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # malloc.h
_NEVER = 2**31 - 1
_BLOCKS = 65536  # that many at once may come from the system one by one: glibc's default
_LARGEST = 32 << 20  # where glibc's own moving thresholds end: blocks, and twice that for the free end


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Hold on to freed blocks inside; give them back to the system afterwards.

    It changes the whole process, and no result. Where the C library is not glibc it does nothing.
    """
    library = ctypes.CDLL(None) if os.name == "posix" else None
    if library is None or not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, _BLOCKS)
        library.mallopt(_MMAP_THRESHOLD, _LARGEST)
        library.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST)
        library.malloc_trim(0)
