"""The one process that gives shards out, writes the ledger and publishes rows.

A shard's rows are written by a worker into `staging`; they count from the commit in the ledger on; then they
get their name in `parts`. So what lies in `parts` is always committed, a rename that was missed is made up by
the next run, and a worker of an earlier owner can only leave something in `staging` that nobody looks at.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from foveal.batch import durable, job, manifest
from foveal.batch.job import PARTS, STAGING, SUPERSEDED, Identity
from foveal.batch.ledger import Ledger, Standing
from foveal.batch.manifest import Shard
from foveal.core import files
from foveal.core.errors import DataError, TemporaryError
from foveal.core.progress import Progress
from foveal.core.steps import file_hash
from foveal.core.units import show_rate
from foveal.core.work import Backend, Receipt, Task

_STRIKES = 2  # workers that die of a picture before it is set aside
_IDLE_DEATHS = 3  # workers that die over a shard before they have any picture of it in hand


@dataclass(frozen=True)
class Running:
    """A job that is run.

    Attributes:
        folder: Of the job, as all workers see it.
        bundle: The file, as all workers see it.
        root: The folder that relative names are in.
        stamps: Of what was listed; see `Named.stamps`.
        identity: Which job it is.
        ledger: Of this process's shards.
        item_timeout_s: Seconds that one picture may take.
        own: Which shards are ours: number of this process, and of how many.
    """

    folder: Path
    bundle: Path
    root: Path
    stamps: Mapping[str, str]
    identity: Identity
    ledger: Ledger
    item_timeout_s: float
    own: tuple[int, int] = (0, 1)

    def take_in(self) -> None:
        """Take shards into the ledger that are in the manifest and not yet in it."""
        if self.ledger.segments < manifest.segments(self.folder):
            self.ledger.add(shards_of(manifest.shards(self.folder, size=self.identity.shard_size), self.own))

    def recover(self) -> None:
        """Publish what was committed and not published yet; put aside what no longer counts.

        Raises:
            DataError: `part_missing`: what was published is gone.
        """
        staging, parts = self.folder / STAGING, self.folder / PARTS
        finished = self.ledger.standing().done
        now = {done.part: done.sha256 for done in finished}
        for name, digest in self.ledger.superseded().items():
            # Done again with the same rows, what lies there may be the new part as well as the former one.
            if now.get(job.former_name(name)) != digest:
                self._put_aside(name, digest)
        for done in finished:
            if (staging / done.staged).exists():
                durable.move(staging / done.staged, parts / done.part, "batch.publish")
            elif not (parts / done.part).exists():
                raise DataError(
                    f"{parts / done.part} is gone",
                    code="part_missing",
                    hint="bring it back, or begin the job in another folder",
                    path=parts / done.part,
                )
        index, count = self.own
        for left in staging.iterdir():
            number = job.number_of(left.name)
            if number is not None and number % count == index:
                files.remove(left)

    def _put_aside(self, name: str, digest: str) -> None:
        """Move a part that is done again out of the way, unless that was done."""
        old, place = self.folder / PARTS / job.former_name(name), self.folder / SUPERSEDED
        if not (place / name).exists() and old.exists() and file_hash(old) == digest:
            files.make_folder(place)
            durable.move(old, place / name, "batch.supersede")

    def carry_out(self, backend: Backend, workers: int, progress: Progress) -> None:
        """Give out all shards that are not done, and commit and publish what comes back.

        Raises:
            TemporaryError: `shards_lost`: workers died of some, again and again; `no_worker`.
            FovealError: What a worker raised: the disk is full, the bundle cannot be loaded …
        """
        todo = {str(shard.number): shard for shard in self.ledger.todo()}
        if not todo:
            return
        lost: list[str] = []
        clock = _Clock(self.ledger.standing(), progress)
        tasks = (self._task(shard) for shard in todo.values())
        given_up = _GivenUp(self)
        workers = min(workers, len(todo))
        for receipt in backend.map(tasks, init=self._init(), workers=workers, lost=given_up):
            if receipt.outcome == "failed":  # of the whole job: no picture makes a worker raise
                raise receipt.error
            if receipt.outcome == "lost":
                lost.append(receipt.key)
                continue
            self._publish(todo[receipt.key], receipt)
            clock.tell(todo[receipt.key].items)
        if lost:
            raise TemporaryError(
                f"workers died of {len(lost)} of {len(todo)} shards before they had a picture in hand",
                code="shards_lost",
                hint="all others are kept: the same line again tries these",
                path=self.folder,
            )

    def _init(self) -> Task:
        told = {
            "bundle": str(self.bundle),
            "digest": self.identity.digest,
            "engine": self.identity.engine,
            "precision": self.identity.precision,
            "folder": str(self.folder),
            "root": str(self.root),
            "stamps": dict(self.stamps),
            "format": self.identity.format,
            "scores": self.identity.scores,
            "once": self.identity.once,
            "item_timeout_s": self.item_timeout_s,
        }
        return Task("begin", "foveal.batch.shard:begin", told)

    def _task(self, shard: Shard) -> Task:
        # Whatever an earlier run noted must not be taken for what this worker had in hand.
        files.remove(job.at_file(self.folder, shard.number))
        spec = {
            "shard": shard.number,
            "segment": shard.segment,
            "offset": shard.offset,
            "items": shard.items,
            "epoch": self.ledger.epoch,
            "quarantined": self.ledger.struck(shard.number, least=_STRIKES),
        }
        return Task(str(shard.number), "foveal.batch.shard:run", spec)

    def _publish(self, shard: Shard, receipt: Receipt) -> None:
        name = job.part_name(shard.number, self.identity.format)
        self.ledger.finish(shard.number, name, receipt.detail, attempt=receipt.attempt, node=receipt.node)
        staged = self.folder / STAGING / receipt.detail["staged"]
        durable.move(staged, self.folder / PARTS / name, "batch.publish")
        files.remove(job.at_file(self.folder, shard.number))


class _GivenUp:
    """What to do about a shard whose worker died: a picture that workers die of is set aside."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._idle: Counter[str] = Counter()

    def __call__(self, task: Task) -> Task | None:
        running, number = self._running, int(task.key)
        item = job.in_hand(running.folder, number)
        if item is None:
            self._idle[task.key] += 1
            return task if self._idle[task.key] < _IDLE_DEATHS else None
        running.ledger.strike(number, item)
        files.remove(job.at_file(running.folder, number))
        quarantined = running.ledger.struck(number, least=_STRIKES)
        return replace(task, spec={**task.spec, "quarantined": quarantined})


class _Clock:
    """Tells how many pictures have a row, and how fast this process makes them."""

    def __init__(self, before: Standing, progress: Progress) -> None:
        self._before, self._progress = before, progress
        self._new, self._began = 0, time.monotonic()
        self.tell(0)

    def tell(self, new: int) -> None:
        """Tell that so many pictures more have their row."""
        self._new += new
        note = show_rate(self._new / (time.monotonic() - self._began)) if self._new else ""
        self._progress("pictures", self._before.rows + self._new, self._before.images, note)


def shards_of(shards: Iterator[Shard], own: tuple[int, int]) -> Iterator[Shard]:
    """Yield the shards of one of several processes: every n-th.

    >>> [shard.number for shard in shards_of((Shard(n, 1, 0, 1) for n in range(7)), (1, 3))]
    [1, 4]
    """
    index, count = own
    return (shard for shard in shards if shard.number % count == index)
