"""Features that were computed before, in the user's cache folder, so that a second fit takes seconds.

An entry is called by everything that decides its numbers; see `key`. It appears whole or not at all, brings
its own hash, and is good for nothing else: one that is damaged, or gone, is computed again. Several processes
may use the folder at once. What was used longest ago goes when the folder is full.
"""

import contextlib
import hashlib
import io
import json
import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from foveal.core import files
from foveal.core.errors import WriteError

MOST_BYTES = 1_000_000_000
_DIGEST_BYTES = 32
_SECONDS = "<d"  # before the features, as float64
_SECONDS_BYTES = struct.calcsize(_SECONDS)
_SUFFIX = ".features"


def key(told: Mapping[str, object]) -> str:
    """Return the name of an entry.

    Args:
        told: All that the features depend on, as JSON knows it: weights, pixels, normalization, data, which
            pictures, and which view of them.
    """
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def recall(name: str) -> tuple[NDArray[np.float32], float] | None:
    """Return what was remembered under a name, float32 (N, D), and the seconds it took, or None."""
    path = _folder() / f"{name}{_SUFFIX}"
    try:
        content = path.read_bytes()
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != digest:
            return None
        (seconds,) = struct.unpack_from(_SECONDS, data)
        found: NDArray[np.float32] = np.load(io.BytesIO(data[_SECONDS_BYTES:]), allow_pickle=False)
    except (OSError, ValueError, EOFError, struct.error):
        return None
    with contextlib.suppress(OSError):
        now = time.time_ns()  # the file system's own clock is coarser than two uses may lie apart
        os.utime(path, ns=(now, now))
    return found, seconds


def remember(name: str, features: NDArray[np.float32], *, seconds: float) -> None:
    """Keep features under a name; where the cache cannot be written, or they are too many, nothing happens.

    Args:
        name: See `key`.
        features: float32 (N, D).
        seconds: That it took to compute them; a fit that finds them here did not get them for nothing.
    """
    if features.nbytes > MOST_BYTES // 2:
        return
    buffer = io.BytesIO()
    np.save(buffer, features, allow_pickle=False)
    data, folder = struct.pack(_SECONDS, seconds) + buffer.getvalue(), _folder()
    with contextlib.suppress(WriteError):
        files.make_folder(folder)
        files.write_bytes(folder / f"{name}{_SUFFIX}", hashlib.sha256(data).digest() + data)
        _make_room(folder)


def _make_room(folder: Path) -> None:
    """Remove what was used longest ago until the rest fits; others may do the same at this moment."""
    entries = []
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            state = path.stat()
            entries.append((state.st_mtime_ns, state.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= MOST_BYTES:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size


def _folder() -> Path:
    return user_cache_path("foveal") / "features"
