"""`foveal inspect report`: what came of the parts of a line, from its log."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.core import files
from foveal.core.errors import DataError, NotFoundError, UsageError
from foveal.core.text import printable
from foveal.monitor.people import compared
from foveal.monitor.production import BASELINE, Production

_LONGEST = 1 << 20  # bytes of a line
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class People:
    """What is stated of people who inspect the same parts.

    Attributes:
        miss: Share of defective parts that they pass; None: not stated.
        false_call: Share of good parts that they reject.
        parts: How many parts these shares rest on; None: they are taken as known.
        seconds: That one part takes them.
    """

    miss: float | None = None
    false_call: float | None = None
    parts: int | None = None
    seconds: float | None = None


def inspect_report(
    log: Path,
    *,
    truth: Path | None = None,
    people: People | None = None,
    baseline: int = BASELINE,
    html: Path | None = None,
) -> dict[str, Any]:
    """Return the `foveal.inspect.report/1` document, and write its page.

    Args:
        log: The folder of a line's log, or a file of JSON lines.
        truth: CSV with the columns `source` and `defective` of parts whose truth came out later.
        people: To compare with.
        baseline: How many of the first decisions later ones are compared with.
        html: The page to write.

    Raises:
        NotFoundError: There is no log, or no such table.
        DataError: `bad_log`, `empty`: a line is no record, or there is no decision. `bad_table`.
        UsageError: Misses or false calls of people are stated, and no truth of these parts is.
        WriteError: The page cannot be written.
    """
    people = people or People()
    if truth is None and (people.miss is not None or people.false_call is not None):
        raise UsageError(
            "misses and false calls of this line are not known without the truth of its parts",
            hint="--truth F.csv with the columns source and defective",
        )
    known = None if truth is None else _truths(truth)
    judged = {(bad, verdict): 0 for bad in (True, False) for verdict in ("accept", "review", "reject")}
    production = Production.of(_noted(records_of(log), known or {}, judged), baseline=baseline)
    if not production.whole.n:
        raise DataError(f"there is no decision in {printable(str(log))}", code="empty", path=log)
    document = {
        "schema": "foveal.inspect.report/1",
        "ok": True,
        "log": printable(str(log)),
        **production.whole.as_json(),
        "bundles": dict(production.bundles),
        "reasons": dict(production.whole.reasons.most_common()),
        "lots": [{"lot": name, **tally.as_json()} for name, tally in production.lots.items()],
        "kinds": production.pareto(),
        "drift": {
            "scores": None if production.scores is None else production.scores.summary(),
            "baseline": baseline if production.shares else None,
            "shares": {name: {"low": b.low, "high": b.high} for name, b in production.shares.items()},
        },
        "alarms": production.alarms,
        "people": _beside(people, judged, production, known=known is not None),
        "html": None if html is None else str(html),
    }
    if html is not None:
        from foveal.report.production_page import (
            production_page,
        )  # matplotlib, only where a page is asked for

        files.write_text(html, production_page(document))
    return document


def records_of(log: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a log in their order; what its last line lacks was never promised.

    Raises:
        NotFoundError: There is none.
        DataError: `bad_log`: a line is no JSON object.
    """
    try:
        paths = sorted(log.glob("*.jsonl")) if log.is_dir() else [log]
        for path in paths:
            with path.open("rb") as file:
                number = 0
                while line := file.readline(_LONGEST):
                    number += 1
                    if not line.endswith(b"\n") and path == paths[-1]:
                        return
                    yield _record(line, path, number)
    except OSError as error:
        shown = printable(str(log))
        raise NotFoundError(f"cannot read the log {shown}: {error.strerror}", path=shown) from None


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise DataError(
            f"line {number} of {printable(path.name)} is no record",
            code="bad_log",
            hint="foveal inspect verify tells where a log is broken",
            path=path,
        )
    return record


def _noted(
    records: Iterator[dict[str, Any]], truths: Mapping[str, bool], judged: dict[tuple[bool, str], int]
) -> Iterator[dict[str, Any]]:
    """Pass records on, and count the verdicts of parts whose truth is known."""
    for record in records:
        bad = truths.get(str(record.get("source")))
        if bad is not None and record.get("what", "decision") == "decision":
            key = (bad, str(record.get("verdict")))
            judged[key] = judged.get(key, 0) + 1
        yield record


def _truths(path: Path) -> dict[str, bool]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}", path=path) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV table: {error}", code="bad_table", path=path) from None
    try:
        return {row["source"]: _TRUTHS[row["defective"].strip().lower()] for row in rows}
    except (KeyError, AttributeError):
        raise DataError(
            f"{path} needs the columns source and defective, which is 0 or 1",
            code="bad_table",
            path=path,
        ) from None


def _beside(
    people: People, judged: Mapping[tuple[bool, str], int], production: Production, *, known: bool
) -> dict[str, Any] | None:
    """Return the line beside people; None where nothing is known of either."""
    if not known and people == People():
        return None
    told: dict[str, Any] = {"miss": None, "false_call": None, "seconds": None}
    for name, bad, wrong, rate in (
        ("miss", True, "accept", people.miss),
        ("false_call", False, "reject", people.false_call),
    ):
        n = sum(count for (is_bad, _), count in judged.items() if is_bad == bad)
        if n and rate is not None:
            told[name] = compared(judged[bad, wrong], n, rate=rate, people=people.parts).as_json()
    if people.seconds is not None:
        whole = production.whole
        told["seconds"] = {
            "all_by_hand": people.seconds * whole.n,
            "reviews_by_hand": people.seconds * whole.verdicts["review"],
        }
    told["truths"] = sum(judged.values())
    return told
