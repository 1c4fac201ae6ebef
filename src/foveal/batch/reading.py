"""From an item of a manifest to the bytes of its picture."""

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from foveal.batch.item import Item
from foveal.bundle import inputs
from foveal.core.errors import DataError
from foveal.data.archive import archive_tree
from foveal.data.decode import LIMITS
from foveal.data.pair import joined
from foveal.data.stacks import most_bytes
from foveal.data.tree import Tree
from foveal.data.video import VIDEO_LIMITS

_ARCHIVES = 8  # that a worker keeps open


def stamp(path: Path) -> str:
    """Return length and time of a file: as long as they are the same, it is taken to be the same."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def content(
    item: Item, root: Path, stamps: Mapping[str, str], *, films: bool = False, pairs: bool = False
) -> bytes:
    """Return the bytes of a picture or film; of one that is longer than allowed only so many that it shows.

    Args:
        item: The picture.
        root: The folder that relative paths are in.
        stamps: Of the archives, when they were listed.
        films: It is a film, which may be longer than a picture.
        pairs: They are to be those of the pair that it makes with its template, where it has one.

    Raises:
        NotFoundError: Its file is gone.
        ImageError: It cannot be read (`io_error`, `not_regular`).
        DataError: `input_changed`: its archive is gone, damaged, or another one than was listed.
    """
    most = VIDEO_LIMITS.content_bytes if films else most_bytes(item.member or item.path)
    if item.member is None:
        picture = inputs.content(root / item.path, most=most)
        if not pairs or item.template is None:
            return picture
        return joined(picture, inputs.content(root / item.template))
    archive = root / item.path
    try:
        now = stamp(archive)
    except OSError:
        now = ""
    if now != stamps.get(item.path, now):
        raise DataError(
            f"{item.path} is another archive than was listed",
            code="input_changed",
            hint="--refresh answers its pictures again",
            path=item.path,
        )
    return _archive(archive, now).read(item.member, at_most=most)


def ahead(item: Item, root: Path) -> None:
    """Let the system begin to read a picture that is wanted soon; whatever is wrong with it shows later.

    A member of an archive lies beside the one before it: the system reads on by itself.
    """
    if item.member is None and hasattr(os, "posix_fadvise"):
        with suppress(OSError, ValueError):
            handle = os.open(root / item.path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                os.posix_fadvise(handle, 0, LIMITS.content_bytes, os.POSIX_FADV_WILLNEED)
            finally:
                os.close(handle)


@lru_cache(_ARCHIVES)
def _archive(path: Path, _: str) -> Tree:
    """Return an archive as it is with a stamp."""
    return archive_tree(path)
