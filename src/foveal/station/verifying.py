"""Whether an audit log is what was written, from its first record to its last."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveal.station.reading import Reading
from foveal.station.record import Broken
from foveal.tasks.judging import VERDICTS


@dataclass
class Verified:
    """What a log holds, up to its end or to the place where it is broken.

    Attributes:
        records: Number of records.
        head: Hash of the last one.
        verdicts: Decisions by verdict.
        reasons: Decisions by reason; one may have several.
        late_answers: Records of answers that came after their decision.
        first, last: Time of the first and the last record, or None.
        torn_bytes: Behind the last record: one that was begun and never promised.
        broken: Where it is not what was written, or None.
        head_at: Number of the record whose hash was asked for; None: nobody asked, or there is none.
    """

    records: int = 0
    head: str = ""
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    late_answers: int = 0
    first: str | None = None
    last: str | None = None
    torn_bytes: int = 0
    broken: Broken | None = None
    head_at: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the keys of the document."""
        return {
            "records": self.records,
            "head": self.head,
            "verdicts": {verdict: self.verdicts[verdict] for verdict in VERDICTS},
            "reasons": dict(sorted(self.reasons.items())),
            "late_answers": self.late_answers,
            "first": self.first,
            "last": self.last,
            "torn_bytes": self.torn_bytes,
            "broken": None if self.broken is None else self.broken.as_json(),
            "head_at": self.head_at,
        }


def verify(folder: Path, *, head: str | None = None) -> Verified:
    """Go through a log and compare every record with its hash and with the one before.

    A log that somebody adds to may be verified meanwhile: it is what it was when it was read.

    Args:
        folder: The log.
        head: Hash of a record that must be there: one that was printed, or sent, before.

    Raises:
        NotFoundError: There is no such folder.
    """
    reading, found = Reading(folder), Verified()
    for record in reading.records():
        found.first, found.last = found.first or record["time"], record["time"]
        if record["hash"] == head:
            found.head_at = record["n"]
        if record["what"] == "late_answer":
            found.late_answers += 1
            continue
        found.verdicts[record["verdict"]] += 1
        found.reasons.update(record["reasons"])
    found.records, found.head = reading.chain.n, reading.chain.head
    found.torn_bytes, found.broken = reading.torn_bytes, reading.broken
    return found
