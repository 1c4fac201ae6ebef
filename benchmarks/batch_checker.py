"""What has to be true of a job of `foveal batch` at any moment, and of one that says it is finished.

    python benchmarks/batch_checker.py JOB [--finished] [--like JOB]

It shares no code with what it checks: the manifest and the parts are read as JSON, the ledger by SQLite, and
the pictures are hashed anew. Every violation is one line; nothing is printed and the exit code is 0 where
there is none.

Lost: a listed picture without a row. Doubled: a picture with two rows. Phantom: a row of no listed picture,
or in a part that the ledger does not know. Torn: a part that is not what the ledger says, byte for byte.
Changed: a row that says something else than that of a job that nobody disturbed.
"""

import argparse
import hashlib
import json
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

Key = tuple[str, int]
Row = dict[str, Any]


def violations(job: Path, *, finished: bool, like: Path | None = None) -> list[str]:
    """Return what is wrong with a job whose parts are JSON lines.

    Args:
        job: Its folder.
        finished: Whether it said that it is: then every picture has its row.
        like: A finished job over the same pictures that nobody disturbed.
    """
    found: list[str] = []
    listed = _listed(job)
    known, twice = _known(job)
    found += [f"doubled: {name} is in two ledgers" for name in twice]
    parts = sorted((job / "parts").glob("*"))
    rows: list[Row] = []
    for part in parts:
        data = part.read_bytes()
        if part.name not in known:
            found.append(f"phantom: {part.name} is not in the ledger")
        elif hashlib.sha256(data).hexdigest() != known[part.name]:
            found.append(f"torn: {part.name} is not what the ledger says")
            continue
        rows += [json.loads(line) for line in data.splitlines()]
    if finished:
        found += [
            f"lost: {name} is in the ledger and not there" for name in known.keys() - {p.name for p in parts}
        ]
    keys = Counter((row["source"], row["occurrence"]) for row in rows)
    found += [f"doubled: {key} has {count} rows" for key, count in keys.items() if count > 1]
    found += [f"phantom: {key} was never listed" for key in keys.keys() - listed.keys()]
    if finished:
        found += [f"lost: {key} has no row" for key in listed.keys() - keys.keys()]
    found += [text for row in rows if (text := _content(row, listed))]
    if like is not None:
        found += _changed(rows, like)
    if finished and job.name.endswith(".job"):
        found += _joined(job, parts)
    return found


def _joined(job: Path, parts: list[Path]) -> list[str]:
    """Return what is wrong with the one file beside a job, whose parts are in the order of their names."""
    whole = job.with_name(job.name.removesuffix(".job"))
    if not whole.exists():
        return []  # not asked for yet
    same = whole.read_bytes() == b"".join(part.read_bytes() for part in parts)
    return [] if same else [f"torn: {whole.name} is not what the parts hold"]


def _listed(job: Path) -> dict[Key, str]:
    """Return the file of each picture that was listed."""
    found: dict[Key, str] = {}
    for segment in sorted(job.glob("manifest*.jsonl")):
        for line in segment.read_bytes().splitlines():
            item = json.loads(line)
            # Of a picture in an archive there is no file to compare with.
            file = "" if "member" in item else item.get("path", item["source"])
            found[item["source"], item["occurrence"]] = file
    return found


def _known(job: Path) -> tuple[dict[str, str], set[str]]:
    """Return the sha256 of each part that the ledgers of a job know, by name, and which two of them know."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for file in job.glob("ledger*.sqlite"):
        # Not read-only: a transaction that was cut off is taken back by whoever opens the file next.
        with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True)) as ledger:
            if not ledger.execute("SELECT 1 FROM sqlite_master WHERE name = 'shards'").fetchall():
                continue  # killed while it was made
            own = dict(ledger.execute("SELECT part, sha256 FROM shards WHERE state = 'done'"))
            twice |= found.keys() & own.keys()
            found |= own
    return found, twice


def _content(row: Row, listed: dict[Key, str]) -> str | None:
    """Return what is wrong with the content that a row says it is about."""
    file = Path(listed.get((row["source"], row["occurrence"]), ""))
    if row.get("content") is None or not file.is_file():
        return None
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return (
        None
        if digest == row["content"]
        else f"changed: {row['source']} holds something else than its row says"
    )


def _changed(rows: list[Row], like: Path) -> list[str]:
    """Return which rows differ from those of a job that nobody disturbed."""
    undisturbed: dict[Key, Row] = {}
    for part in (like / "parts").glob("*"):
        for line in part.read_bytes().splitlines():
            row = json.loads(line)
            undisturbed[row["source"], row["occurrence"]] = row
    return [
        f"changed: {row['source']} got {row}"
        for row in rows
        if undisturbed.get((row["source"], row["occurrence"])) != row
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", type=Path)
    parser.add_argument("--finished", action="store_true")
    parser.add_argument("--like", type=Path)
    given = parser.parse_args()
    found = violations(given.job, finished=given.finished, like=given.like)
    for line in found:
        print(line)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
