"""What of a job is done: the one place that decides it, in SQLite, written by one process at a time.

A rollback journal and not a write-ahead log: that would need memory shared by all readers, which disks on a
network do not have, and a commit for every shard is rare. `synchronous=FULL`: a commit survives the power.
Whoever takes the ledger over counts the epoch on; an earlier owner that still lives can commit no more.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveal.batch.job import superseded_name
from foveal.batch.manifest import Shard
from foveal.core import failpoints
from foveal.core.errors import TemporaryError, WriteError

_BUSY_S = 60  # to wait for a reader
_TABLES = (
    "CREATE TABLE IF NOT EXISTS owner (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO owner VALUES (1, 0)",
    """CREATE TABLE IF NOT EXISTS shards (
        number INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, items INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'todo', part TEXT, staged TEXT, sha256 TEXT,
        ok INTEGER, failed INTEGER, abstained INTEGER, copies INTEGER, attempt INTEGER, node TEXT)""",
    """CREATE TABLE IF NOT EXISTS superseded (
        shard INTEGER, epoch INTEGER, part TEXT, sha256 TEXT, PRIMARY KEY (shard, epoch))""",
    """CREATE TABLE IF NOT EXISTS changed (
        segment INTEGER, line INTEGER, bytes INTEGER, mtime_ns INTEGER, PRIMARY KEY (segment, line))""",
    "CREATE TABLE IF NOT EXISTS codes (shard INTEGER, code TEXT, count INTEGER, PRIMARY KEY (shard, code))",
    """CREATE TABLE IF NOT EXISTS strikes (
        shard INTEGER, item INTEGER, count INTEGER, PRIMARY KEY (shard, item))""",
)


@dataclass(frozen=True)
class Done:
    """A finished shard: its rows in `parts`, as they were called in `staging`, and their sha256."""

    number: int
    part: str
    staged: str
    sha256: str


@dataclass(frozen=True)
class Standing:
    """How far a job has come, as far as one or several ledgers know.

    Attributes:
        done: The finished shards.
        images: Pictures of all shards.
        ok, failed: Rows with an answer, and with an error.
        abstained: Answers that decline.
        copies: Rows that were made from that of another picture with the same content.
        codes: How many rows have each error.
    """

    done: tuple[Done, ...] = ()
    images: int = 0
    ok: int = 0
    failed: int = 0
    abstained: int = 0
    copies: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """How many pictures have their row."""
        return self.ok + self.failed

    def as_json(self) -> dict[str, Any]:
        """Return the keys of `foveal.batch/1` that are about how far it has come."""
        return {
            "images": self.images,
            "done": self.ok,
            "failed": self.failed,
            "failures": dict(self.codes),
            "abstained": self.abstained,
            "copies": self.copies,
            "shards": len(self.done),
        }

    def __add__(self, other: "Standing") -> "Standing":
        """Return both together; they share no shard."""
        return Standing(
            tuple(sorted(self.done + other.done, key=lambda one: one.number)),
            self.images + other.images,
            self.ok + other.ok,
            self.failed + other.failed,
            self.abstained + other.abstained,
            self.copies + other.copies,
            self.codes + other.codes,
        )


class Ledger:
    """A ledger that this process owns."""

    def __init__(self, path: Path) -> None:
        """Open or make it, and count its epoch on.

        Raises:
            WriteError: The disk does not let us.
        """
        self._path = path
        with self._telling():
            self._base = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.execute("BEGIN IMMEDIATE")
            for table in _TABLES:
                self._base.execute(table)
            self._base.execute("UPDATE owner SET epoch = epoch + 1")
            [(self.epoch,)] = self._base.execute("SELECT epoch FROM owner")
            failpoints.reach("batch.ledger.open")
            self._base.execute("COMMIT")

    def close(self) -> None:
        """Let go of it."""
        self._base.close()

    def add(self, shards: Iterable[Shard]) -> None:
        """Take in what is to be done, unless it is known."""
        rows = ((shard.number, shard.segment, shard.offset, shard.items) for shard in shards)
        with self._change("add"):
            self._base.executemany(
                "INSERT OR IGNORE INTO shards (number, segment, offset, items) VALUES (?, ?, ?, ?)", rows
            )

    @property
    def segments(self) -> int:
        """How many segments of the manifest it knows; 0: it is new."""
        return self._count("SELECT coalesce(max(segment), 0) FROM shards")

    def todo(self) -> list[Shard]:
        """Return the shards that are not finished."""
        found = self._base.execute(
            "SELECT number, segment, offset, items FROM shards WHERE state = 'todo' ORDER BY number"
        )
        return [Shard(*row) for row in found]

    def standing(self) -> "Standing":
        """Return how far it has come."""
        return _standing(self._base)

    def finish(self, shard: int, part: str, receipt: Mapping[str, Any], *, attempt: int, node: str) -> None:
        """Commit that a shard's rows lie in `staging`: from here on they count."""
        counted = receipt["counted"]
        with self._change("finish"):
            self._base.execute(
                """UPDATE shards SET state = 'done', part = ?, staged = ?, sha256 = ?, ok = ?, failed = ?,
                   abstained = ?, copies = ?, attempt = ?, node = ? WHERE number = ? AND state = 'todo'""",
                (
                    *(part, receipt["staged"], receipt["sha256"], counted["ok"], counted["failed"]),
                    *(counted["abstained"], counted["copies"], attempt, node, shard),
                ),
            )
            rows = ((shard, code, count) for code, count in counted["codes"].items())
            self._base.executemany("INSERT INTO codes VALUES (?, ?, ?)", rows)

    def reopen(
        self, shards: Iterable[int], changed: Iterable[tuple[int, int, int | None, int | None]]
    ) -> None:
        """Commit that shards are to be done again, and keep in mind what they were.

        Args:
            shards: Their numbers.
            changed: Segment, line, bytes and time of each picture that is another one now.
        """
        with self._change("reopen"):
            for number in shards:
                self._base.execute(
                    """INSERT OR REPLACE INTO superseded
                       SELECT number, ?, part, sha256 FROM shards WHERE number = ? AND state = 'done'""",
                    (self.epoch, number),
                )
                self._base.execute(
                    """UPDATE shards SET state = 'todo', part = NULL, staged = NULL, sha256 = NULL, ok = NULL,
                       failed = NULL, abstained = NULL, copies = NULL WHERE number = ?""",
                    (number,),
                )
                self._base.execute("DELETE FROM codes WHERE shard = ?", (number,))
                self._base.execute("DELETE FROM strikes WHERE shard = ?", (number,))
            self._base.executemany("INSERT OR REPLACE INTO changed VALUES (?, ?, ?, ?)", changed)

    def changed(self) -> dict[tuple[int, int], tuple[int | None, int | None]]:
        """Return bytes and time of each picture that was another one at a later listing, by segment, line."""
        found = self._base.execute("SELECT segment, line, bytes, mtime_ns FROM changed")
        return {(segment, line): (size, mtime) for segment, line, size, mtime in found}

    def superseded(self) -> dict[str, str]:
        """Return the sha256 of the parts that were done again, by the name that they have now."""
        found = self._base.execute("SELECT epoch, part, sha256 FROM superseded")
        return {superseded_name(part, epoch): digest for epoch, part, digest in found}

    def strike(self, shard: int, item: int) -> None:
        """Note that a worker died with this item in hand."""
        with self._change("strike"):
            self._base.execute(
                """INSERT INTO strikes VALUES (?, ?, 1)
                   ON CONFLICT (shard, item) DO UPDATE SET count = count + 1""",
                (shard, item),
            )

    def struck(self, shard: int, *, least: int) -> list[int]:
        """Return the items of a shard that at least so many workers died of."""
        rows = self._base.execute("SELECT item FROM strikes WHERE shard = ? AND count >= ?", (shard, least))
        return sorted(item for (item,) in rows)

    def _count(self, query: str) -> int:
        [(count,)] = self._base.execute(query)
        return int(count)

    @contextmanager
    def _change(self, place: str) -> Iterator[None]:
        with self._telling():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                if self._count("SELECT epoch FROM owner") != self.epoch:
                    raise TemporaryError(
                        f"another process has taken {self._path} over", code="fenced", path=self._path
                    )
                yield
                failpoints.reach(f"batch.ledger.{place}")
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise WriteError(
                f"cannot write {self._path}: {error}",
                hint="what is finished is kept: the same line again goes on once that is mended",
                path=self._path,
            ) from error


def _standing(base: sqlite3.Connection) -> Standing:
    done = base.execute(
        "SELECT number, part, staged, sha256 FROM shards WHERE state = 'done' ORDER BY number"
    )
    [(images, ok, failed, abstained, copies)] = base.execute(
        """SELECT coalesce(sum(items), 0), coalesce(sum(ok), 0), coalesce(sum(failed), 0),
           coalesce(sum(abstained), 0), coalesce(sum(copies), 0) FROM shards"""
    )
    codes = base.execute("SELECT code, sum(count) FROM codes GROUP BY code ORDER BY code")
    finished = tuple(Done(*row) for row in done)
    return Standing(finished, images, ok, failed, abstained, copies, Counter(dict(codes)))
