"""From an item of a manifest to the bytes of its picture."""

import os
from collections.abc import Sequence
from pathlib import Path

from foveal.batch.item import Item
from foveal.core.errors import ImageError, NotFoundError
from foveal.core.text import printable
from foveal.data.decode import LIMITS
from foveal.data.tree import read_regular

_AHEAD = 16  # files that the system is asked to have ready


def content(item: Item, root: Path) -> bytes:
    """Return the bytes of a picture; of one that is longer than any may be, only so many that this shows.

    Args:
        item: The picture.
        root: The folder that relative paths are in.

    Raises:
        NotFoundError: Its file is gone.
        ImageError: `io_error`, `not_regular`, `truncated`: it cannot be read.
    """
    most = LIMITS.content_bytes + 1
    if "\0" in item.path:
        raise ImageError(f"no file can be called {item.source!r}", code="io_error")
    if item.offset is not None:
        return _member(item, root, most)
    try:
        return read_regular(root / item.path, most)
    except ImageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise NotFoundError(f"there is no {item.source}") from None
        raise ImageError(printable(error.message), code=error.code) from None


def _member(item: Item, root: Path, most: int) -> bytes:
    """Return a member of an archive that lies in it as it is."""
    size = min(item.size or 0, most)
    try:
        handle = os.open(root / item.path, os.O_RDONLY)
        try:
            found = os.pread(handle, size, item.offset or 0)
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise NotFoundError(f"there is no {printable(item.path)}") from None
    except OSError as error:
        raise ImageError(f"cannot read {printable(item.path)}: {error.strerror}", code="io_error") from None
    if len(found) < size:
        raise ImageError(f"{printable(item.path)} ends before {item.source} does", code="truncated")
    return found


def ask_for(items: Sequence[Item], root: Path, at: int) -> None:
    """Ask the system to have the file that is some places behind `at` in memory by the time we get there.

    A disk that is far away then waits for several files at once instead of for one after the other.
    """
    if at + _AHEAD >= len(items) or not hasattr(os, "posix_fadvise"):
        return
    item = items[at + _AHEAD]
    try:
        handle = os.open(root / item.path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError):
        return
    try:
        os.posix_fadvise(handle, item.offset or 0, item.size or 0, os.POSIX_FADV_WILLNEED)
    except OSError:  # a FIFO has nothing to fetch
        return
    finally:
        os.close(handle)
