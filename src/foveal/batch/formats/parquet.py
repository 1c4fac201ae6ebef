"""Parquet, through pyarrow (the extra `parquet`): a part is one row group."""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from foveal.batch.formats._format import Row, RowFormat
from foveal.core import extras


def _need() -> None:
    extras.need("parquet", what="a result in Parquet")


def _schema(scores: bool) -> Any:
    import pyarrow as pa

    text = pa.string()
    fields = [
        pa.field("source", text, nullable=False),
        pa.field("occurrence", pa.int64(), nullable=False),
        ("content", text),
        pa.field("bundle", text, nullable=False),
        ("label", text),
        ("confidence", pa.float64()),
        ("abstain", pa.bool_()),
        ("unknown", pa.bool_()),
        ("set", pa.list_(text)),
    ]
    if scores:
        fields.append(("scores", pa.map_(text, pa.float64())))
    return pa.schema([*fields, ("error", pa.struct([("code", text), ("message", text)]))])


def _encode(rows: Sequence[Row], scores: bool) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if scores:
        rows = [{**row, "scores": list(row["scores"].items())} if "scores" in row else row for row in rows]
    stored = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=_schema(scores)), stored)
    return stored.getvalue()


def _join(parts: Iterable[Path]) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    stored = _Pieces()
    writer: Any = None
    for part in parts:
        table = pq.read_table(part, partitioning=None)
        writer = writer or pq.ParquetWriter(stored, table.schema)
        writer.write_table(table)
        yield stored.taken()
    if writer is not None:
        writer.close()
    yield stored.taken()


class _Pieces(io.RawIOBase):
    """A file that is written once from its beginning to its end, and handed on in pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._length += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        whole, self._pieces = b"".join(self._pieces), []
        return whole


parquet = RowFormat(_need, _encode, _join)
"""Parquet, by way of pyarrow: a shard is a row group."""
