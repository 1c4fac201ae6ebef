"""One decision as a line of the audit log, and the chain that the lines make.

A line is the canonical JSON of its record: keys sorted, no spaces, ASCII, one newline at the end. `hash` is
the sha256 of the canonical JSON of all the rest, and `previous`, which is in there, the hash of the record
before: so no record can be changed, left out or put in without changing every hash behind it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foveal.core.errors import DataError
from foveal.tasks.judging import VERDICTS, Verdict

BEGINNING = "0" * 64
"""What stands for the hash before the first record."""

_KINDS = {  # what every reader relies on
    **dict.fromkeys(("n", "synced"), int),
    **dict.fromkeys(("previous", "hash", "time", "what", "source", "verdict"), str),
    "reasons": list,
}


@dataclass(frozen=True)
class Decision:
    """What was decided of one picture, or what came of it after it had been decided.

    Attributes:
        source: What the picture is called.
        content: sha256 of the picture's bytes, of a pair of those of both; None: it could not be read.
        verdict: What is to become of the part.
        bundle: Digest of the bundle that was asked.
        score: How bad it is, larger is worse; None where there is none.
        reasons: Why, where it is not the score alone: a fault of the picture, an error, `too_late`.
        kinds: Which kinds of defects were seen.
        accept_below, reject_from: The thresholds that the score was compared with.
        lot: What the part belongs to.
        late_of: Number of the record that this comes too late for; None: it is the decision itself.
    """

    source: str
    content: str | None
    verdict: Verdict
    bundle: str
    score: float | None = None
    reasons: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    accept_below: float | None = None
    reject_from: float | None = None
    lot: str | None = None
    late_of: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the part of a record that is about the decision."""
        return {
            "what": "decision" if self.late_of is None else "late_answer",
            **({} if self.late_of is None else {"late_of": self.late_of}),
            "source": self.source,
            "content": self.content,
            "verdict": self.verdict,
            "score": self.score,
            "reasons": list(self.reasons),
            "kinds": list(self.kinds),
            "bundle": self.bundle,
            "thresholds": {"accept_below": self.accept_below, "reject_from": self.reject_from},
            "lot": self.lot,
        }


@dataclass(frozen=True)
class Broken:
    """The first place where a log is not what was written.

    Attributes:
        why: `damaged`: it is no record; `changed`: a record is not the one that its hash is of; `gap`: it
            does not follow the record before.
        n: Number that the record should have.
        file: Name of its file.
        line: Its number in there, from 1.
    """

    why: str
    n: int
    file: str
    line: int

    def as_json(self) -> dict[str, Any]:
        """Return the object of the document."""
        return {"why": self.why, "n": self.n, "file": self.file, "line": self.line}

    def error(self, folder: object) -> DataError:
        """Return it as an error, for whoever cannot go on."""
        return DataError(
            f"the log in {folder} is broken at record {self.n:,}: {self.why} ({self.file}, line {self.line})",
            code="log_broken",
            hint="keep it as it is; foveal inspect verify tells more. A line goes on with another --log",
            path=str(folder),
        )


class RecordError(ValueError):
    """A line is not the record that comes next; its text is why, as in `Broken.why`."""


def canonical(record: Mapping[str, Any]) -> bytes:
    """Return the one way to write a record, without the end of the line.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def hash_of(record: Mapping[str, Any]) -> str:
    """Return what the hash of a record has to be, whatever it says it is."""
    return hashlib.sha256(canonical({k: v for k, v in record.items() if k != "hash"})).hexdigest()


@dataclass
class Chain:
    """How far a log goes: number and hash of its last record."""

    n: int = 0
    head: str = BEGINNING

    def next(self, told: Mapping[str, Any], *, synced: int) -> dict[str, Any]:
        """Return the record that follows, and go on to it.

        Args:
            told: What it says; see `Decision.as_json`, and `time`.
            synced: How many records are on the disk for certain as this one is written.
        """
        record = {**told, "n": self.n + 1, "synced": synced, "previous": self.head}
        record["hash"] = hash_of(record)
        self.n, self.head = self.n + 1, record["hash"]
        return record

    def take(self, line: bytes) -> dict[str, Any]:
        """Return the record in a line, without its end, and go on to it.

        Raises:
            RecordError: It is none, or not the next one.
        """
        record = whole(line)
        if record["n"] != self.n + 1 or record["previous"] != self.head:
            raise RecordError("gap")
        self.n, self.head = record["n"], record["hash"]
        return record


def whole(line: bytes) -> dict[str, Any]:
    """Return the record in a line that is whole and unchanged in itself, wherever it belongs.

    Raises:
        RecordError: It is none.
    """
    try:
        record = json.loads(line)
        kinds = {key: type(record[key]) for key in _KINDS}
    except (ValueError, LookupError, TypeError, RecursionError):
        raise RecordError("damaged") from None
    if kinds != _KINDS or record["verdict"] not in VERDICTS:
        raise RecordError("damaged")
    try:
        same = canonical(record) == line and hash_of(record) == record["hash"]
    except ValueError:  # NaN, which Python's reader takes
        same = False
    if not same:
        raise RecordError("changed")
    return record  # type: ignore[no-any-return]
