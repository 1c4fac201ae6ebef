"""What has become of the pictures of a job since they were listed."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from foveal.batch import manifest
from foveal.batch.item import Item
from foveal.batch.ledger import Ledger


@dataclass(frozen=True)
class Refreshed:
    """What a new listing found.

    Attributes:
        new: Pictures that were not listed before.
        changed: Pictures whose file has another length or time; their shards are done again.
        removed: Pictures that are listed no longer; their rows stay.
    """

    new: int = 0
    changed: int = 0
    removed: int = 0


def refresh(folder: Path, ledger: Ledger, found: Iterable[Item], *, shard_size: int) -> Refreshed:
    """Take in a new listing: what is new becomes a segment, what has changed is done again.

    Args:
        folder: Of the job.
        ledger: Its only one.
        found: The new listing, with occurrences.
        shard_size: Of the job.
    """
    listed = list(found)
    now = {(item.source, item.occurrence): item for item in listed}
    known = ledger.changed()
    changed: list[tuple[int, int, int | None, int | None]] = []
    removed = 0
    for segment in range(1, manifest.segments(folder) + 1):
        for line, item in enumerate(manifest.read(folder, segment)):
            here = now.pop((item.source, item.occurrence), None)
            if here is None:
                removed += 1
            elif (here.size, here.mtime_ns) != known.get((segment, line), (item.size, item.mtime_ns)):
                changed.append((segment, line, here.size, here.mtime_ns))
    ledger.reopen(_shards_of(folder, {(segment, line) for segment, line, *_ in changed}, shard_size), changed)
    if now:
        manifest.publish(folder, manifest.segments(folder) + 1, _by_themselves(listed, now))
    return Refreshed(len(now), len(changed), removed)


def _by_themselves(listed: Iterable[Item], new: Container[tuple[str, int]]) -> Iterator[Item]:
    """Yield what is new; it is the same as the one before only where that one is new, too."""
    same = False
    for item in listed:
        same = same and item.same
        if (item.source, item.occurrence) in new:
            yield replace(item, same=same)
            same = True


def _shards_of(folder: Path, lines: set[tuple[int, int]], shard_size: int) -> list[int]:
    """Return the numbers of the shards that hold lines of segments."""
    found = []
    before: Counter[int] = Counter()  # lines of a segment that lie before the shard
    for shard in manifest.shards(folder, size=shard_size):
        first = before[shard.segment]
        before[shard.segment] += shard.items
        if any((shard.segment, line) in lines for line in range(first, first + shard.items)):
            found.append(shard.number)
    return found
