"""Look at what a line has left behind: its log, what it told, and the pictures. Shares no code with foveal.

    python benchmarks/line_checker.py LOG PICTURES [SIGNALS…] [--finished]

SIGNALS are files of JSON lines as the command writes them on stdout, or into a sink `jsonl:FILE`.
"""

import argparse
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any


def records_of(log: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the records of a log, and what is wrong with their chain; a torn last line is not."""
    records, wrong, last = [], [], "0" * 64
    files = sorted(log.glob("audit-*.jsonl"))
    lines = [(path, line) for path in files for line in path.read_bytes().splitlines(keepends=True)]
    for place, (path, line) in enumerate(lines):
        try:
            record = json.loads(line)
        except ValueError:
            if place < len(lines) - 1:
                wrong.append(f"torn: {path.name} inside")
            continue
        told = {key: value for key, value in record.items() if key != "hash"}
        text = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
        if hashlib.sha256(text).hexdigest() != record["hash"]:
            wrong.append(f"changed: record {record['n']}")
        if record["previous"] != last or record["n"] != len(records) + 1:
            wrong.append(f"gap: before record {record['n']}")
        last = record["hash"]
        records.append(record)
    return records, wrong


def signals_of(path: Path) -> list[dict[str, Any]]:
    """Return the decisions that a file of signals has; a torn last line is none."""
    found = []
    for line in path.read_bytes().splitlines():
        try:
            signal = json.loads(line)
        except ValueError:
            continue
        signal = signal.get("event", signal)
        if "n" in signal:  # on stdout there may be an error, too
            found.append(signal)
    return found


def violations(log: Path, pictures: Path, signals: list[Path], *, finished: bool) -> list[str]:
    """Return every promise of the line that is broken.

    Args:
        log: Its folder.
        pictures: The folder that it judges.
        signals: What it told, one file for each that was told.
        finished: Whether it says that nothing is left: then every picture is decided and everybody told.
    """
    records, wrong = records_of(log)
    by_n = {record["n"]: record for record in records}
    decided = [record for record in records if record["what"] == "decision"]
    there = {str(path.absolute()): path for path in pictures.iterdir()}
    counts = Counter((record["source"], record["content"]) for record in decided)
    wrong += [f"twice: {source}" for (source, _), count in counts.items() if count > 1]
    for record in decided:
        path = there.get(record["source"])
        if path is None:
            wrong.append(f"phantom: {record['source']}")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != record["content"]:
            wrong.append(f"other content: {record['source']}")
    if finished:
        missing = set(there) - {record["source"] for record in decided}
        wrong += [f"lost: {source}" for source in sorted(missing)]
    for path in signals:
        told = signals_of(path)
        for signal in told:
            record = by_n.get(signal["n"])
            if record is None or any(record[key] != value for key, value in signal.items()):
                wrong.append(f"told without being logged: {signal['n']} in {path.name}")
        if finished:
            untold = {record["n"] for record in decided} - {signal["n"] for signal in told}
            wrong += [f"nobody told: {n} in {path.name}" for n in sorted(untold)]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("log", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("signals", type=Path, nargs="*")
    parser.add_argument("--finished", action="store_true")
    given = parser.parse_args()
    if found := violations(given.log, given.pictures, given.signals, finished=given.finished):
        raise SystemExit("\n".join(found))
    print("nothing lost, doubled, phantom, changed, or told without being logged")


if __name__ == "__main__":
    main()
