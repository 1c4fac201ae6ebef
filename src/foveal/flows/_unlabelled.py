"""Pictures of which nobody says what they show: each content once, in an order that names do not change."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from foveal.core.errors import DataError, NotFoundError
from foveal.core.files import is_there
from foveal.core.progress import Progress
from foveal.core.random import stream
from foveal.core.text import printable
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data.archive import archive_tree, is_archive
from foveal.data.dataset import Dataset, Picture
from foveal.data.decode import LIMITS
from foveal.data.inventory import content_hashes
from foveal.data.pictures import FilePicture
from foveal.data.preprocess import Preprocess
from foveal.data.store import Store, StoreWriter
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree, folder_tree, read_regular

MOST = 6_000  # that are read: two thousand in each of three parts know a share of 1 % to half of it

Read = Callable[[], Picture]


@dataclass(frozen=True)
class Unlabelled:
    """Pictures by their content.

    Attributes:
        dataset: One for each content, by rising hash, then those that cannot be read; one class without name.
        hashes: Of each, as in `split.json`; "" where it cannot be read.
        fingerprint: Of all contents together, whatever the files are called.
        copies: How many more had the content of another.
        left_out: How many more there are that were not taken.
    """

    dataset: Dataset = field(repr=False)
    hashes: tuple[str, ...] = field(repr=False)
    fingerprint: str
    copies: int
    left_out: int


def find(named: Sequence[str | Path], *, seed: int, progress: Progress) -> Unlabelled:
    """Return the pictures that are named.

    Args:
        named: Files, folders and archives, of which all pictures below count; or one data set in any format.
        seed: Which are taken where there are more than 6,000.
        progress: Told about the files.

    Raises:
        NotFoundError: Nothing there, or no picture in it.
        DataError: An archive or data set is damaged.
    """
    found = list(_pictures(named))
    left_out = max(0, len(found) - MOST)
    if left_out:
        taken = np.sort(stream(seed, "pictures").choice(len(found), MOST, replace=False))
        found = [found[place] for place in taken]
    path = Path(named[0])
    hashes = content_hashes(_dataset(found, path), progress=progress)
    first = {content: place for place, content in reversed(list(enumerate(hashes))) if content}
    places = [first[content] for content in sorted(first)]
    unreadable = [place for place, content in enumerate(hashes) if not content]
    kept = places + unreadable
    return Unlabelled(
        dataset=_dataset([found[place] for place in kept], path),
        hashes=tuple(hashes[place] for place in kept),
        fingerprint=hashlib.sha256("\n".join(sorted(first)).encode()).hexdigest(),
        copies=len(found) - len(kept),
        left_out=left_out,
    )


def stored(
    pictures: Unlabelled, path: Path, preprocess: Preprocess, *, progress: Progress
) -> tuple[Store, list[str]]:
    """Bring pictures to model size.

    Args:
        pictures: N of them.
        path: The `.npy` file to make; its folder is there.
        preprocess: Of the model.
        progress: Told about the pictures.

    Returns:
        The store with N rows, of which those labelled -1 cannot be used; and why each of these cannot.

    Raises:
        WriteError: The store cannot be written.
    """
    with StoreWriter(path, count=len(pictures.dataset), preprocess=preprocess) as writer:
        taken = inventories.take(pictures.dataset, store=writer, progress=progress)
        labels = np.where(taken.readable, 0, -1).astype(np.int64)
        store = writer.seal(labels, fingerprint=pictures.fingerprint)
    rows = zip(pictures.dataset.sources, taken.error, strict=True)
    return store, [f"{printable(source)}: {error.message}" for source, error in rows if error is not None]


def _dataset(found: Sequence[tuple[str, Read]], path: Path) -> Dataset:
    return Dataset(
        format="pictures",
        path=path,
        classes=("",),
        sources=tuple(source for source, _ in found),
        labels=np.zeros(len(found), dtype=np.int64),
        splits=("",) * len(found),
        read=lambda index: found[index][1](),
    )


def _pictures(named: Sequence[str | Path]) -> Iterator[tuple[str, Read]]:
    """Yield name and reader of every picture; what holds no picture by name may be a data set."""
    paths = [Path(one) for one in named]
    if not any(map(is_there, paths)):
        raise NotFoundError(f"there is no {paths[0]}", path=paths[0])
    if len(paths) > 1 or is_picture(paths[0].name):
        for path in paths:
            yield from _below(path)
        return
    found = list(_below(paths[0])) if paths[0].is_dir() or is_archive(paths[0]) else []
    yield from found or _of_dataset(paths[0])


def _below(path: Path) -> Iterator[tuple[str, Read]]:
    """Yield a file, or the pictures in a folder or archive by their suffix; a folder without access, too."""
    if path.is_dir():
        unlistable: list[str] = []  # like a file that is not there: whoever reads it says so
        tree = folder_tree(path, unlistable=unlistable)
        names = sorted([*filter(is_picture, tree.files), *unlistable])
        yield from ((str(path / name), _reader(tree, name)) for name in names)
    elif is_archive(path):
        tree = archive_tree(path)
        yield from ((str(path / name), _reader(tree, name)) for name in tree.files if is_picture(name))
    else:
        yield str(path), partial(_file, path)


def _reader(tree: Tree, name: str) -> Read:
    return lambda: FilePicture(tree.read(name, at_most=LIMITS.content_bytes))


def _file(path: Path) -> Picture:
    return FilePicture(read_regular(path, LIMITS.content_bytes + 1))


def _of_dataset(path: Path) -> Iterator[tuple[str, Read]]:
    try:
        dataset = opening.open(path)
    except DataError as error:
        if error.code != "unknown_layout":
            raise
        raise NotFoundError(
            f"no picture in {path}", hint="name files, folders, archives or a data set", path=path
        ) from error
    for index, source in enumerate(dataset.sources):
        yield source, partial(dataset.read, index)
