"""Write docs/claims.md from benchmarks/claims.toml: what the literature claims, and what of it was seen here.

    python benchmarks/claims.py

An entry is one claim. Its status decides what it must say: a claim that was seen here names the command and
the number, one that cannot be seen here says why. `tests/test_claims.py` holds the page to the entries.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
ENTRIES = PROJECT / "benchmarks" / "claims.toml"
PAGE = PROJECT / "docs" / "claims.md"
STATUSES = {
    "reproduced": "measured here, on the same data",
    "analogue": "the effect was measured here on other data, at another scale or in another way",
    "tested": "it is mathematics, and a test holds the code to it",
    "open": "the code is there, the measurement is not",
    "not reproducible here": "and why",
}
NEEDED = {
    "reproduced": {"found", "command", "interval"},
    "analogue": {"found", "command", "differs"},
    "tested": {"found", "test"},
    "open": {"needs"},
    "not reproducible here": {"why"},
}
_SAID = {"claimed", "at_least"}  # a number that the interval holds, or that it lies above
_ALWAYS = {"area", "claim", "source", "status"}
_HEAD = """# Published claims, and what of them was seen here

Made by `python benchmarks/claims.py` from `benchmarks/claims.toml`; change that file, not this one. The
machine is that of [benchmarks.md](benchmarks.md) unless an entry names another.

| status | means |
| --- | --- |
"""


def read(path: Path = ENTRIES) -> list[dict[str, Any]]:
    """Return the entries, each with all that its status asks for and nothing else."""
    entries: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["claim"]
    for entry in entries:
        status = entry.get("status")
        if status not in STATUSES:
            raise ValueError(f"{entry.get('claim')!r}: the status is one of {', '.join(STATUSES)}")
        expected = _ALWAYS | NEEDED[status] | (entry.keys() & _SAID if status == "reproduced" else set())
        if entry.keys() != expected:
            odd = ", ".join(sorted(entry.keys() ^ expected))
            raise ValueError(f"{entry['claim']!r}: {status} takes {sorted(expected)}; look at {odd}")
        if status == "reproduced" and not _holds(entry):
            raise ValueError(f"{entry['claim']!r}: what was found, {entry['interval']}, is not the claim")
    return entries


def _holds(entry: dict[str, Any]) -> bool:
    """Return whether the interval that was measured bears out what is claimed."""
    low, high = entry["interval"]
    if "at_least" in entry:
        return bool(low >= entry["at_least"])
    return "claimed" in entry and bool(low <= entry["claimed"] <= high)


def tables(path: Path = ENTRIES) -> dict[str, str]:
    """Return what stands below the claims of an area, such as a table of what was compared."""
    found: list[dict[str, str]] = tomllib.loads(path.read_text(encoding="utf-8")).get("table", [])
    return {one["area"]: one["text"].strip() for one in found}


def page(entries: list[dict[str, Any]], below: dict[str, str] | None = None) -> str:
    """Return the page, one table for each area in the order of the entries, and what stands below it."""
    counts = {status: sum(entry["status"] == status for entry in entries) for status in STATUSES}
    lines = [_HEAD + "\n".join(f"| **{s}** ({counts[s]}) | {means} |" for s, means in STATUSES.items())]
    for area in dict.fromkeys(entry["area"] for entry in entries):
        rows = [_row(entry) for entry in entries if entry["area"] == area]
        lines.append(
            f"## {area}\n\n| claim | source | status | what was seen here |\n| --- | --- | --- | --- |"
        )
        lines[-1] += "\n" + "\n".join(rows)
        lines += [(below or {})[area]] if area in (below or {}) else []
    return "\n\n".join(lines) + "\n"


def _row(entry: dict[str, Any]) -> str:
    seen = [entry[key] for key in ("found", "differs", "needs", "why") if key in entry]
    if "command" in entry:
        seen.append(f"`{entry['command']}`")
    if "test" in entry:
        seen.append(f"`{entry['test']}`")
    cells = entry["claim"], entry["source"], f"**{entry['status']}**", "; ".join(seen)
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(read(), tables()), encoding="utf-8")
    print(f"{PAGE.relative_to(PROJECT)}: {len(read())} claims", file=sys.stderr)
