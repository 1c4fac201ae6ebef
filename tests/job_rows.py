"""What a batch job left behind, and what the command told of it."""

import json
from collections.abc import Iterable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of all JSONL parts of a job, in order."""
    parts = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]


def by_name(found: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return rows by the file name of their picture."""
    return {row["source"].rpartition("/")[2]: row for row in found}


def told(result: CompletedProcess[str]) -> Any:
    """Return the document of a command that ran with `--json`."""
    return json.loads(result.stdout)
