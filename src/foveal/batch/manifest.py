"""The list of a job's pictures, written once: JSON lines, cut into shards by their numbers alone."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from foveal.batch import durable
from foveal.batch.item import Item, parsed
from foveal.core.errors import DataError

NAME = "manifest.jsonl"
_PIECE_LINES = 1000  # written at a time


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive items.

    Attributes:
        number: Among all shards of the job, from 0.
        offset: Where in the manifest the first line begins, bytes.
        items: How many lines.
    """

    number: int
    offset: int
    items: int


def publish(folder: Path, items: Iterable[Item]) -> bool:
    """Write the manifest, unless another process was first; return whether ours is the one."""
    return durable.publish_first(folder / NAME, _pieces(numbered(items)), "batch.manifest")


def _pieces(items: Iterable[Item]) -> Iterator[bytes]:
    lines = (item.line() for item in items)
    while piece := b"".join(islice(lines, _PIECE_LINES)):
        yield piece


def numbered(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items with how many of the same source came before each."""
    seen: Counter[str] = Counter()
    for item in items:
        yield replace(item, occurrence=seen[item.source]) if seen[item.source] else item
        seen[item.source] += 1


def read(folder: Path, *, offset: int = 0, count: int | None = None) -> Iterator[Item]:
    """Yield items.

    Args:
        folder: The job's.
        offset: Where to begin, bytes.
        count: How many; None: all that follow.

    Raises:
        DataError: `damaged`: the file is not as it was written.
    """
    file = folder / NAME
    try:
        with file.open("rb") as lines:
            lines.seek(offset)
            yield from map(parsed, islice(lines, count))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{file} is damaged: {error}", code="damaged", hint="begin the job in another folder", path=file
        ) from error


def shards(folder: Path, *, size: int) -> Iterator[Shard]:
    """Yield the shards, each of `size` items but that the last may be smaller."""
    begin = end = count = number = 0
    with (folder / NAME).open("rb") as lines:
        for line in lines:
            count, end = count + 1, end + len(line)
            if count == size:
                yield Shard(number, begin, count)
                number, begin, count = number + 1, end, 0
    if count:
        yield Shard(number, begin, count)
