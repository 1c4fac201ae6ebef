"""One full pass over a data set's pictures: every file is read, hashed and decoded once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import ImageError
from foveal.core.machine import usable_cpus
from foveal.core.parallel import in_order
from foveal.core.progress import Progress, silent
from foveal.data.clips import FileClip, Still
from foveal.data.dataset import Dataset, Picture, UInt8, content_hash
from foveal.data.decode import LIMITS
from foveal.data.fingerprint import fingerprint
from foveal.data.pictures import RawPicture, StackPicture
from foveal.data.sizing import evenly_spaced, suggest_channels
from foveal.data.stacks import STACK_LIMITS
from foveal.data.store import StoreWriter
from foveal.data.video import VIDEO_LIMITS

Look = Callable[[int, UInt8], None]
_CHUNK = 64
_REPORT_SECONDS = 0.25
# Where a second thread begins to pay. Measured on two cores, in µs per JPEG with one thread and with two:
# 1 kB 59 and 78, 2 kB 73 and 86, 6 kB 144 and 233, 14 kB 294 and 201.
_SMALL_BYTES = 10_000


@dataclass(frozen=True)
class Inventory:
    """What is known of every picture of a data set, one row each, in its order.

    Attributes:
        sha256: Hash of the stored bytes; "" where they cannot be read, or are more than a picture may have.
        width, height: Upright size in pixels, int32 (N,); 0 where unknown.
        format: JPEG, PNG …, `raw` for pixels stored as they are; "" where unreadable.
        mode: Pillow's name of the stored colours; "" where unreadable.
        brightest: Largest value among its decoded pixels, uint8 (N,); 0 where unreadable.
        error: Why a picture is unusable, or None.
        fingerprint: Hash of all names, classes and contents.
    """

    sha256: tuple[str, ...] = field(repr=False)
    width: NDArray[np.int32] = field(repr=False)
    height: NDArray[np.int32] = field(repr=False)
    format: tuple[str, ...] = field(repr=False)
    mode: tuple[str, ...] = field(repr=False)
    brightest: UInt8 = field(repr=False)
    error: tuple[ImageError | None, ...] = field(repr=False)
    fingerprint: str

    def __len__(self) -> int:
        return len(self.sha256)

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Which pictures can be used, bool (N,)."""
        return np.array([error is None for error in self.error], dtype=bool)


class _Row(NamedTuple):
    sha256: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    brightest: int = 0
    error: ImageError | None = None


def take(
    dataset: Dataset,
    *,
    store: StoreWriter | None = None,
    look: Look | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> Inventory:
    """Read and decode every picture once, and say what was found.

    Args:
        dataset: Where the pictures are.
        store: Filled, in the same pass, with the pixels at model size; the caller seals it.
        look: Called, in the same pass, with the index and the pixels of each readable picture, from
            several threads.
        threads: At most so many decode at once; None means all processors we may use.
        progress: Told a few times a second.

    Returns:
        One row per picture; unusable ones carry their error and have black pixels in the store.
    """
    channels = store.preprocess.channels if store else suggest_channels(dataset)

    looks = [one for one in (store and store.put, look) if one]

    def look_at(indices: range) -> list[_Row]:
        return [_look(dataset, index, channels, looks) for index in indices]

    rows: list[_Row] = []
    said = time.monotonic()
    chunks = (range(i, min(i + _CHUNK, len(dataset))) for i in range(0, len(dataset), _CHUNK))
    for some in in_order(look_at, chunks, workers=_workers(dataset, threads), name="foveal-read"):
        rows += some
        if time.monotonic() - said > _REPORT_SECONDS:
            said = time.monotonic()
            progress("reading pictures", len(rows), len(dataset))
    progress("reading pictures", len(rows), len(dataset))
    return _columns(dataset, rows)


def content_hashes(dataset: Dataset, *, progress: Progress = silent) -> tuple[str, ...]:
    """Return the `sha256` column of the inventory without decoding any picture."""
    hashes = []
    said = time.monotonic()
    for index in range(len(dataset)):
        hashes.append(_hash(dataset, index))
        if time.monotonic() - said > _REPORT_SECONDS:
            said = time.monotonic()
            progress("reading files", index + 1, len(dataset))
    progress("reading files", len(dataset), len(dataset))
    return tuple(hashes)


def _hash(dataset: Dataset, index: int) -> str:
    try:
        return hash_of(dataset.read(index))
    except ImageError:
        return ""


def hash_of(picture: Picture) -> str:
    """Return what the `sha256` column says of a picture; "" where its stored bytes are too many to be one."""
    content = picture.content
    return content_hash(content) if len(content) <= _most_bytes(picture) else ""


def _most_bytes(picture: Picture) -> int:
    if isinstance(picture, FileClip | Still):
        return VIDEO_LIMITS.content_bytes
    stack = isinstance(picture, StackPicture) or (isinstance(picture, RawPicture) and picture.header().values)
    return (STACK_LIMITS if stack else LIMITS).content_bytes


def _look(dataset: Dataset, index: int, channels: int, looks: Sequence[Look]) -> _Row:
    sha256 = ""
    try:
        picture = dataset.read(index)
        sha256 = hash_of(picture)
        header, pixels = picture.examine(channels)
        for look in looks:
            look(index, pixels)
    except ImageError as error:
        # A copy: the original's traceback and causes would keep the picture's bytes alive.
        plain = ImageError(error.message, code=error.code, hint=error.hint, path=error.path)
        return _Row(sha256, error=plain)
    return _Row(sha256, header.width, header.height, header.format, header.mode, int(pixels.max()))


def _workers(dataset: Dataset, threads: int | None) -> int:
    """Return how many threads are worth it.

    For small pictures most of the time is Python's, which runs one thread at a time; only the decoder of
    large ones sets the others free.
    """
    allowed = threads or usable_cpus()
    lengths = []
    for index in evenly_spaced(len(dataset), at_most=15):
        try:
            lengths.append(len(dataset.read(index).content))
        except ImageError:
            continue
    return allowed if lengths and np.median(lengths) > _SMALL_BYTES else 1


def _columns(dataset: Dataset, rows: Sequence[_Row]) -> Inventory:
    sha256 = tuple(row.sha256 for row in rows)
    return Inventory(
        sha256=sha256,
        width=np.array([row.width for row in rows], dtype=np.int32),
        height=np.array([row.height for row in rows], dtype=np.int32),
        format=tuple(row.format for row in rows),
        mode=tuple(row.mode for row in rows),
        brightest=np.array([row.brightest for row in rows], dtype=np.uint8),
        error=tuple(row.error for row in rows),
        fingerprint=fingerprint(dataset.sources, dataset.truths, sha256),
    )
