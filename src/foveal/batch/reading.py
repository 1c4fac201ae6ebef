"""From an item of a manifest to the bytes of its picture."""

from functools import lru_cache
from pathlib import Path

from foveal.batch.item import Item
from foveal.bundle import inputs
from foveal.core.errors import NotFoundError
from foveal.data.archive import archive_tree
from foveal.data.decode import LIMITS
from foveal.data.tree import Tree

_ARCHIVES = 8  # that a worker keeps open


def content(item: Item, root: Path) -> bytes:
    """Return the bytes of a picture; of one that is longer than any may be, only so many that this shows.

    Args:
        item: The picture.
        root: The folder that relative paths are in.

    Raises:
        NotFoundError: Its file is gone, or no longer in its archive.
        DataError: It cannot be read (`io_error`, `not_regular`), or its archive is damaged.
    """
    if item.member is None:
        return inputs.content(root / item.path)
    tree = _archive(root / item.path)
    if item.member not in tree.files:
        raise NotFoundError(f"there is no {item.source}")
    return tree.read(item.member, at_most=LIMITS.content_bytes)


@lru_cache(_ARCHIVES)
def _archive(path: Path) -> Tree:
    return archive_tree(path)
