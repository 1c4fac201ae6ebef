"""Pictures or films without labels: each content once, in an order that names do not change.

What belongs together is known of them all the same: what a list or a key groups, and near copies.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.audit.glance import Glances
from foveal.audit.near_duplicates import clusters, near_duplicates
from foveal.core.errors import DataError, NotFoundError
from foveal.core.files import is_there, read_json, write_json
from foveal.core.progress import Progress
from foveal.core.random import stream
from foveal.core.text import printable
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data.archive import archive_tree, is_archive
from foveal.data.clip import FRAMES, Clip, still
from foveal.data.clips import FileClip
from foveal.data.dataset import Dataset, Picture, UInt8
from foveal.data.decode import LIMITS
from foveal.data.formats._groups import read_groups
from foveal.data.formats.clip_folder import by_stem
from foveal.data.inventory import Inventory, content_hashes
from foveal.data.linking import linked
from foveal.data.pictures import FilePicture
from foveal.data.preprocess import Preprocess
from foveal.data.store import Store, StoreWriter
from foveal.data.suffixes import is_clip, is_picture
from foveal.data.tree import Tree, folder_tree, read_regular
from foveal.data.video import VIDEO_LIMITS

MOST = 6_000  # that are read: two thousand in each of three parts know a share of 1 % to half of it

_MOST_COPIES = 16  # of one picture; more that are linked are of one kind, as parts on a belt are


@dataclass(frozen=True)
class _Sort:
    """What is looked for: pictures or films.

    Attributes:
        suits: Whether a file's name says that it is one.
        content_bytes: More than these of one are not read.
        seen: From the bytes of a file to what can be decoded.
        clip: Frames that stand for one, which whoever takes clips sets anew; None: pictures.
    """

    suits: Callable[[str], bool]
    content_bytes: int
    seen: Callable[[bytes], Picture]
    clip: Clip | None = None


_PICTURES = _Sort(is_picture, LIMITS.content_bytes, FilePicture)
_FILMS = _Sort(is_clip, VIDEO_LIMITS.content_bytes, partial(FileClip, frames=FRAMES), Clip(frames=FRAMES))

Read = Callable[[], Picture]
# Name, reader, and what it shares with those that it belongs together with, where a list or a key says so.
Found = tuple[str, Read, str | None]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Unlabelled:
    """Pictures by their content.

    Attributes:
        dataset: One for each content, by rising hash, then those that cannot be read; one class without name.
        hashes: Of each, as in `split.json`; "" where it cannot be read.
        units: For each a number that it shares with those that a list or a key groups, int64 (N,); films
            without a list with those that their names say to be of one source.
        fingerprint: Of all contents together, and of what belongs together, whatever the files are called.
        copies: How many more had the content of another.
        left_out: How many more there are that were not taken.
    """

    dataset: Dataset = field(repr=False)
    hashes: tuple[str, ...] = field(repr=False)
    units: Int64 = field(repr=False)
    fingerprint: str
    copies: int
    left_out: int


@dataclass(frozen=True)
class Stored:
    """Pictures at model size.

    Attributes:
        store: With N rows, of which those labelled -1 cannot be used.
        unusable: Why each of these cannot.
        units: For each a number that it shares with those it belongs together with, int64 (N,): near copies
            (saved again, resized, cropped, mirrored) and what a list or a key groups.
        alike: How many look nearly the same as more than fifteen others, which makes no unit.
    """

    store: Store = field(repr=False)
    unusable: list[str] = field(repr=False)
    units: Int64 = field(repr=False)
    alike: int = 0


def find(
    named: Sequence[str | Path],
    *,
    films: bool = False,
    most: int | None = MOST,
    seed: int,
    progress: Progress,
) -> Unlabelled:
    """Return the pictures, or films, that are named.

    Args:
        named: Files, folders and archives, of which all pictures below count; or one data set in any format.
        films: Whether films are looked for, and no pictures.
        most: Files that are read at most; None: all of them.
        seed: Which files are taken where there are more. No content is there twice even then, and
            what belongs together is told of those that were taken.
        progress: Told about the files.

    Raises:
        NotFoundError: Nothing there, or no picture, or film, in it.
        DataError: An archive or data set is damaged, or `bad_groups`.
    """
    sort = _FILMS if films else _PICTURES
    found = list(_pictures(named, sort))
    left_out = 0 if most is None else max(0, len(found) - most)
    if left_out:
        taken = np.sort(stream(seed, "pictures").choice(len(found), len(found) - left_out, replace=False))
        found = [found[place] for place in taken]
    path = Path(named[0])
    hashes = content_hashes(_dataset(found, path, sort), progress=progress)
    first = {content: place for place, content in reversed(list(enumerate(hashes))) if content}
    places = [first[content] for content in sorted(first)]
    unreadable = [place for place, content in enumerate(hashes) if not content]
    kept = places + unreadable
    contents = [content or f"unreadable {place}" for place, content in enumerate(hashes)]
    units = np.array(linked(contents, _groups(found, films=films)), dtype=np.int64)[kept]
    kept_hashes = tuple(hashes[place] for place in kept)
    return Unlabelled(
        dataset=_dataset([found[place] for place in kept], path, sort),
        hashes=kept_hashes,
        units=units,
        fingerprint=_fingerprint(kept_hashes, units),
        copies=len(found) - len(kept),
        left_out=left_out,
    )


def everything(named: Sequence[str | Path]) -> Dataset:
    """Return all pictures that are named, copies too, however many; one class without name.

    Args:
        named: As for `find`. A picture is called by its path as it was named.

    Raises:
        NotFoundError: Nothing there, or no picture in it.
        DataError: An archive or data set is damaged.
    """
    found = list(_pictures(named, _PICTURES))
    root, alone = Path(named[0]), len(named) == 1

    def called(name: str) -> str:
        if not alone or name.startswith(str(root)):
            return name
        itself = root.is_file() and name.startswith(root.name)  # a file of arrays is part of the names
        inside = root.parent if itself else root
        return f"{inside}/{name}"

    return _dataset([(called(name), read, group) for name, read, group in found], root, _PICTURES)


def _groups(found: Sequence[Found], *, films: bool) -> list[str]:
    """Return for each what it shares with those that it belongs together with; alone, its own name."""
    groups = [name if group is None else group for name, _, group in found]
    if films:
        unlisted = [place for place, (_, _, group) in enumerate(found) if group is None]
        names = [found[place][0] for place in unlisted]
        pieces = by_stem(names, [name.rpartition("/")[0] for name in names]).groups
        for place, source in zip(unlisted, pieces or names, strict=True):
            groups[place] = source
    return groups


def _fingerprint(hashes: Sequence[str], units: Int64) -> str:
    """Return the sha256 over contents, and over which of them belong together where any do."""
    members = [sorted(filter(None, np.array(hashes)[units == unit])) for unit in _repeated(units)]
    parts = [sorted(filter(None, hashes)), *sorted(each for each in members if len(each) > 1)]
    return hashlib.sha256("\n\n".join("\n".join(part) for part in parts).encode()).hexdigest()


def _repeated(units: Int64) -> Int64:
    found, counts = np.unique(units, return_counts=True)
    return found[counts > 1]


def stored(pictures: Unlabelled, path: Path, preprocess: Preprocess, *, progress: Progress) -> Stored:
    """Bring pictures to model size, and find near copies among them; of films among their middle frames.

    Args:
        pictures: N of them.
        path: The `.npy` file to make; its folder is there.
        preprocess: Of the model.
        progress: Told about the pictures.

    Raises:
        WriteError: The store cannot be written.
    """
    glances = Glances.of(len(pictures.dataset))

    def look(index: int, pixels: UInt8) -> None:
        glances.look(index, still(pixels))

    store, taken = _decoded(pictures, path, preprocess, look, progress)
    rows = zip(pictures.dataset.sources, taken.error, strict=True)
    unusable = [f"{printable(source)}: {error.message}" for source, error in rows if error is not None]
    units, alike = _together(pictures.units, taken, glances, progress)
    return Stored(store, unusable, units, alike)


def stored_once(pictures: Unlabelled, path: Path, preprocess: Preprocess, *, progress: Progress) -> Store:
    """Return pictures at model size; what a run has is not decoded again. Arguments as of `stored`."""
    try:
        return Store.open(path, preprocess=preprocess, fingerprint=pictures.fingerprint)
    except DataError as error:
        if error.code != "store_mismatch":
            raise
    return _decoded(pictures, path, preprocess, None, progress)[0]


def _decoded(
    pictures: Unlabelled,
    path: Path,
    preprocess: Preprocess,
    look: Callable[[int, UInt8], None] | None,
    progress: Progress,
) -> tuple[Store, Inventory]:
    with StoreWriter(path, count=len(pictures.dataset), preprocess=preprocess) as writer:
        shown = preprocess.seeing(pictures.dataset)
        taken = inventories.take(shown, store=writer, look=look, progress=progress)
        labels = np.where(taken.readable, 0, -1).astype(np.int64)
        return writer.seal(labels, fingerprint=pictures.fingerprint), taken


def check_same(path: Path, pictures: Unlabelled) -> None:
    """Note which pictures a run learns from; where others were noted, refuse to go on.

    Args:
        path: The file with the note.
        pictures: Found now.

    Raises:
        DataError: `data_changed`: they are not those that the run started with.
    """
    if not path.is_file():
        write_json(path, {"fingerprint": pictures.fingerprint})
        return
    hint = "the run was started with other pictures; start anew"
    before = read_json(path, lambda saved: str(saved["fingerprint"]), hint=hint)
    if before != pictures.fingerprint:
        raise DataError(
            "the pictures are not those that the run started with", code="data_changed", hint=hint, path=path
        )


def _together(units: Int64, taken: Inventory, glances: Glances, progress: Progress) -> tuple[Int64, int]:
    """Return the units with near copies in them, and how many pictures are like too many others for that."""
    readable = np.flatnonzero(taken.readable)
    found = clusters(near_duplicates(glances.thumbnails[readable], progress=progress))
    copies = np.arange(len(units))
    for cluster in found:
        if len(cluster.members) <= _MOST_COPIES:
            copies[readable[list(cluster.members)]] = readable[cluster.members[0]]
    alike = sum(len(cluster.members) for cluster in found if len(cluster.members) > _MOST_COPIES)
    both = linked(*([str(unit) for unit in column.tolist()] for column in (units, copies)))
    return np.array(both, dtype=np.int64), alike


def _dataset(found: Sequence[Found], path: Path, sort: _Sort) -> Dataset:
    return Dataset(
        format="pictures",
        path=path,
        classes=("",),
        sources=tuple(source for source, _, _ in found),
        labels=np.zeros(len(found), dtype=np.int64),
        splits=("",) * len(found),
        read=lambda index: found[index][1](),
        clip=sort.clip,
    )


def _pictures(named: Sequence[str | Path], sort: _Sort) -> Iterator[Found]:
    """Yield every picture or film; what holds no picture by its name may be a data set."""
    paths = [Path(one) for one in named]
    if not any(map(is_there, paths)):
        raise NotFoundError(f"there is no {paths[0]}", path=paths[0])
    if len(paths) > 1 or sort.suits(paths[0].name):
        for path in paths:
            yield from _below(path, sort)
        return
    [path] = paths
    found = list(_below(path, sort)) if path.is_dir() or is_archive(path) else []
    dataset = None if found or sort.clip is not None else _dataset_at(path)
    if dataset is not None:
        yield from _of_dataset(dataset)
    elif found:
        yield from found
    else:
        raise NotFoundError(
            f"no {'picture' if sort.clip is None else 'film'} in {path}",
            hint="name files, folders, archives or a data set",
            path=path,
        )


def _below(path: Path, sort: _Sort) -> Iterator[Found]:
    """Yield a file, or what a folder or archive holds by its suffix; a folder without access, too.

    `groups.csv` there says what belongs together.
    """
    if path.is_dir():
        unlistable: list[str] = []  # like a file that is not there: whoever reads it says so
        tree = folder_tree(path, unlistable=unlistable)
        names = sorted([*filter(sort.suits, tree.files), *unlistable])
        yield from _grouped(path, tree, names, sort)
    elif is_archive(path):
        tree = archive_tree(path)
        yield from _grouped(path, tree, list(filter(sort.suits, tree.files)), sort)
    else:
        yield str(path), partial(_file, path, sort), None


def _grouped(path: Path, tree: Tree, names: Sequence[str], sort: _Sort) -> Iterator[Found]:
    groups = read_groups(tree, names)
    for place, name in enumerate(names):
        group = None if groups is None else f"{path}: {groups[place]}"
        yield str(path / name), _reader(tree, name, sort), group


def _reader(tree: Tree, name: str, sort: _Sort) -> Read:
    return lambda: sort.seen(tree.read(name, at_most=sort.content_bytes))


def _file(path: Path, sort: _Sort) -> Picture:
    return sort.seen(read_regular(path, sort.content_bytes + 1))


def _dataset_at(path: Path) -> Dataset | None:
    """Return the data set of pictures at a path; None where there is none."""
    try:
        return opening.open(path, task=opening.CLASSIFY)
    except DataError as error:
        if error.code != "unknown_layout":
            raise
        return None


def _of_dataset(dataset: Dataset) -> Iterator[Found]:
    groups = dataset.groups or dataset.sources
    for index, (source, group) in enumerate(zip(dataset.sources, groups, strict=True)):
        yield source, partial(dataset.read, index), group
