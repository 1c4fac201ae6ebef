"""JSON lines: one row, one line."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from foveal.batch.formats._format import Row, RowFormat, Said

_BLOCK = 1 << 20


def _need() -> None:
    """Nothing but the standard library is."""


def _encode(rows: Sequence[Row], said: Said) -> bytes:
    return "".join(
        json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n" for row in rows
    ).encode("utf-8", "backslashreplace")


def _join(parts: Iterable[Path]) -> Iterator[bytes]:
    for part in parts:
        with part.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block


jsonl = RowFormat(_need, _encode, _join)
"""JSON lines: a row is an object on a line of its own."""
