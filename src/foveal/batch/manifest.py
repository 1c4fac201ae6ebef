"""The list of a job's pictures: JSON lines, cut into shards by their numbers alone.

`manifest.jsonl` is the first segment; each later listing that found something new adds one,
`manifest-002.jsonl` … A segment never changes once it is there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from foveal.batch import durable
from foveal.batch.item import Item, parsed
from foveal.core.errors import DataError

_PIECE_LINES = 1000  # written at a time


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive items of one segment.

    Attributes:
        number: Among all shards of the job, from 0.
        segment: Number of the segment, from 1.
        offset: Where in it the first line begins, bytes.
        items: How many lines.
    """

    number: int
    segment: int
    offset: int
    items: int


def name(segment: int) -> str:
    """Return the name of a segment's file.

    >>> name(1), name(2)
    ('manifest.jsonl', 'manifest-002.jsonl')
    """
    return "manifest.jsonl" if segment == 1 else f"manifest-{segment:03}.jsonl"


def segments(folder: Path) -> int:
    """Return how many segments a job has."""
    count = 0
    while (folder / name(count + 1)).exists():
        count += 1
    return count


def publish(folder: Path, segment: int, items: Iterable[Item]) -> bool:
    """Write a segment, unless another process was first; return whether ours is the one."""
    return durable.publish_first(folder / name(segment), _pieces(items), "batch.manifest")


def _pieces(items: Iterable[Item]) -> Iterator[bytes]:
    lines = (item.line() for item in items)
    while piece := b"".join(islice(lines, _PIECE_LINES)):
        yield piece


def read(folder: Path, segment: int, *, offset: int = 0, count: int | None = None) -> Iterator[Item]:
    """Yield items of a segment.

    Args:
        folder: The job's.
        segment: Its number.
        offset: Where to begin, bytes.
        count: How many; None: all that follow.

    Raises:
        DataError: `damaged`: the file is not as it was written.
    """
    file = folder / name(segment)
    try:
        with file.open("rb") as lines:
            lines.seek(offset)
            yield from map(parsed, islice(lines, count))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{file} is damaged: {error}", code="damaged", hint="begin the job in another folder", path=file
        ) from error


def shards(folder: Path, *, size: int) -> Iterator[Shard]:
    """Yield the shards of all segments.

    Args:
        folder: The job's.
        size: Items of one; the last of a segment may be smaller, and one is larger where equal contents would
            be torn apart.
    """
    number = 0
    for segment in range(1, segments(folder) + 1):
        begin = end = count = 0
        with (folder / name(segment)).open("rb") as lines:
            for line in lines:
                if count >= size and not (b'"same"' in line and parsed(line).same):
                    yield Shard(number, segment, begin, count)
                    number, begin, count = number + 1, end, 0
                count, end = count + 1, end + len(line)
        if count:
            yield Shard(number, segment, begin, count)
            number += 1
