"""Parquet, through pyarrow (the extra `parquet`): a part is one row group."""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from foveal.batch.formats._format import Row, RowFormat, Said
from foveal.core import extras
from foveal.core.task import OBJECT_TASKS, SCENE_TASKS

_SIDES = ("left", "top", "right", "bottom")
_MAPS = ("scores", "counts", "areas")
_BOXES_ALONE = ("detect",)  # of what finds objects: it does not say which pixels they cover
_NO_AREAS = ("detect", "instance")


def _need() -> None:
    extras.need("parquet", what="a result in Parquet")


def _schema(said: Said) -> Any:
    import pyarrow as pa

    text = pa.string()
    answers = _where(said) if said.task in SCENE_TASKS else _class(said.scores)
    return pa.schema(
        [
            pa.field("source", text, nullable=False),
            pa.field("occurrence", pa.int64(), nullable=False),
            ("content", text),
            pa.field("bundle", text, nullable=False),
            *answers,
            *(_verdict([name for name, _ in answers]) if said.judged else ()),
            ("error", pa.struct([("code", text), ("message", text)])),
        ]
    )


def _class(scores: bool) -> list[tuple[str, Any]]:
    """Return the columns of a recognizer that gives pictures, or films, a class."""
    import pyarrow as pa

    text = pa.string()
    fields = [
        ("label", text),
        ("confidence", pa.float64()),
        ("abstain", pa.bool_()),
        ("unknown", pa.bool_()),
        ("set", pa.list_(text)),
    ]
    return [*fields, ("scores", pa.map_(text, pa.float64()))] if scores else fields


def _where(said: Said) -> list[tuple[str, Any]]:
    """Return the columns of a recognizer that says where something is."""
    import pyarrow as pa

    text, fields = pa.string(), [("width", pa.int32()), ("height", pa.int32())]
    if said.task in OBJECT_TASKS:
        box = pa.struct([(side, pa.float64()) for side in _SIDES])
        mask = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.list_(pa.int64()))])
        one = [("label", text), ("confidence", pa.float64()), ("box", box)]
        if said.task not in _BOXES_ALONE:
            one.append(("mask", mask))
        if said.attributes:
            one.append(("attributes", pa.map_(text, text)))
        fields += [("objects", pa.list_(pa.struct(one))), ("counts", pa.map_(text, pa.int64()))]
    if said.task == "defect":
        fields.append(("score", pa.float64()))
    if said.task not in _NO_AREAS:
        fields.append(("areas", pa.map_(text, pa.float64())))
    return fields


def _verdict(told: Sequence[str]) -> list[tuple[str, Any]]:
    """Return the columns of a recognizer with a rule, but for those that it tells anyway."""
    import pyarrow as pa

    text = pa.string()
    fields = [("verdict", text), ("score", pa.float64()), ("reasons", pa.list_(text))]
    return [field for field in fields if field[0] not in told]


def _encode(rows: Sequence[Row], said: Said) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stored = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(map(_stored, rows)), schema=_schema(said)), stored)
    return stored.getvalue()


def _stored(row: Row) -> Row:
    """Return a row as pyarrow takes it: maps as pairs, and boxes by the names of their sides."""
    told = {name: list(row[name].items()) for name in _MAPS if name in row}
    if "objects" in row:
        told["objects"] = [
            {
                **one,
                "box": dict(zip(_SIDES, one["box"], strict=True)),
                "attributes": list(one.get("attributes", {}).items()),
            }
            for one in row["objects"]
        ]
    return {**row, **told} if told else row


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
