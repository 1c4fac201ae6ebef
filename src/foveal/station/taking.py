"""From a source to the pictures of parts, each with a name that stays and the hash of its bytes."""

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from foveal import data
from foveal.core.errors import DataError, FovealError, NotFoundError
from foveal.core.text import printable
from foveal.data.dataset import Dataset
from foveal.station.templates import Templates
from foveal.stream.address import shown
from foveal.stream.options import SourceOptions
from foveal.stream.plan import kind_of, shots, source_of
from foveal.stream.shot import Picture, Running, Shot


@dataclass(frozen=True)
class Given:
    """One picture as it came.

    Attributes:
        source: Its name: the whole path of a file, or the source with the number of the frame.
        captured: When, in seconds of the monotonic clock; None: it was there already, and waited.
        content: sha256 of its bytes, of a pair those of both; None where it has none.
        picture: Content or pixels; None where it could not be read.
        error: Why.
    """

    source: str
    captured: float | None
    content: str | None
    picture: Picture | None = field(default=None, repr=False)
    error: FovealError | None = None


def is_live(options: SourceOptions) -> bool:
    """Return whether pictures come by themselves, at their own time."""
    return bool(source_of(options.place).LIVE)


def from_source(options: SourceOptions, templates: Templates | None, running: Running) -> Generator[Given]:
    """Yield the pictures of a folder, film or camera.

    Args:
        options: Which one.
        templates: What each is to be paired with; None: nothing.
        running: Told what happens to it, and asked whether to stop.

    Raises:
        FovealError: It cannot be read, or no longer.
    """
    live, frames = is_live(options), kind_of(source_of(options.place)) != "folder"
    place = shown(options.place) if live else str(Path(options.place).absolute())
    for index, shot in enumerate(shots(options, running)):
        name = f"{printable(place)}#{index}" if frames else _whole(shot)
        yield _given(name, shot.captured if live else None, shot.look, templates)


def from_pairs(dataset: Dataset) -> Generator[Given]:
    """Yield the pairs of a data set, in its order."""
    place = str(dataset.path.absolute())
    for index, name in enumerate(dataset.sources):
        yield _given(printable(f"{place}/{name}"), None, partial(_content, dataset, index), None)


def opened_pairs(path: Path) -> Dataset | None:
    """Return the data set of pairs at a path, or None where there is none.

    Raises:
        DataError: It is one, and damaged.
    """
    try:
        dataset = data.open(path)
    except FovealError as error:
        if error.code in _NO_PAIRS:
            return None
        raise
    return dataset if dataset.pairs else None


_NO_PAIRS = ("unknown_layout", "ambiguous_layout", "not_regular", "not_found", "several_archives")


def _content(dataset: Dataset, index: int) -> bytes:
    return dataset.read(index).content


def _whole(shot: Shot) -> str:
    return printable(str(Path(shot.source or "").absolute()))


def _given(
    name: str, captured: float | None, look: Callable[[], Picture], templates: Templates | None
) -> Given:
    picture: Picture | None = None
    try:
        picture = look()
        if templates is not None:
            picture = templates.with_template(picture, name)
    except (DataError, NotFoundError) as error:
        return Given(name, captured, None if picture is None else _hash(picture), error=error)
    return Given(name, captured, _hash(picture), picture)


def _hash(picture: Picture) -> str:
    """Return sha256 of a content, or of pixels with their shape before them."""
    if isinstance(picture, bytes):
        return hashlib.sha256(picture).hexdigest()
    told = hashlib.sha256(repr(picture.shape).encode())
    told.update(picture.tobytes())
    return told.hexdigest()


class Known:
    """Which pictures have been decided, by name and content."""

    def __init__(self, decided: Iterator[tuple[str, str | None]]) -> None:
        """Begin with those of a log."""
        self._keys = {_key(source, content) for source, content in decided}

    def add(self, given: Given) -> bool:
        """Take in a picture; return whether it is new."""
        key = _key(given.source, given.content)
        if key in self._keys:
            return False
        self._keys.add(key)
        return True


def _key(source: str, content: str | None) -> bytes:
    return hashlib.sha256(f"{content}\n{source}".encode("utf-8", "backslashreplace")).digest()[:16]
