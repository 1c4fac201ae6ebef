"""Pictures with a text each: a table `path,text[,split]` as CSV or TSV, or a JSON list of such rows."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core import files
from foveal.core.errors import DataError, ImageError, NotFoundError
from foveal.core.text import printable
from foveal.data.dataset import Dataset, Picture
from foveal.data.decode import LIMITS
from foveal.data.formats._splits import SPLITS
from foveal.data.pictures import FilePicture
from foveal.data.tree import inside, read_regular

SUFFIXES = (".csv", ".tsv", ".json")
_MOST_BYTES = 2**28
_COLUMNS = ("path", "text")
_HINT = "the first line is path,text and perhaps split; a JSON file is a list of objects with these keys"


class _HalfError(DataError):
    """A table has a path or a text, and not the other."""


@dataclass(frozen=True)
class Pairs:
    """Pictures and texts that belong together; a picture may have several texts, and a text pictures.

    Attributes:
        path: The table.
        sources: Name of each picture below the table's folder, in the order of the table.
        splits: `train`, `val`, `test` or `""` of each picture.
        texts: Of each pair, as written.
        pictures: Of each pair, int64 (N,) into `sources`.
        read: Returns the stored picture of an index.
    """

    path: Path
    sources: tuple[str, ...] = field(repr=False)
    splits: tuple[str, ...] = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)
    pictures: NDArray[np.int64] = field(repr=False)
    read: Callable[[int], Picture] = field(repr=False)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def dataset(self) -> Dataset:
        """The pictures alone, all with the same label."""
        return Dataset(
            format="pairs",
            path=self.path,
            classes=("picture",),
            sources=self.sources,
            labels=np.zeros(len(self.sources), dtype=np.int64),
            splits=self.splits,
            read=self.read,
        )


def is_pairs(path: Path) -> bool:
    """Return whether a path is, or holds, a table whose rows have a path and a text."""
    if not files.is_there(path):
        return False
    try:
        rows = _rows(_table(path))
        return bool(set(_COLUMNS) <= set(next(rows)[1]))
    except (DataError, StopIteration):
        return False


def half_of_pairs(path: Path) -> DataError | None:
    """Return what a table lacks that has a path or a text and not the other, or None for anything else."""
    try:
        next(_rows(_table(path)), None)
    except _HalfError as error:
        return error
    except (DataError, NotFoundError):
        return None  # no table of any pairs: whoever opens it as what it may be says what is wrong
    return None


def open_pairs(path: str | Path) -> Pairs:
    """Return the pairs of a table, or of the only table in a folder, without decoding any picture.

    Raises:
        NotFoundError: No such table, or no such picture.
        DataError: `bad_pairs`: a column is missing, a text is empty, a line says something else twice.
    """
    table = _table(Path(path))
    places: dict[str, int] = {}
    splits: list[str] = []
    texts, pictures = [], []
    seen: dict[tuple[int, str], int] = {}
    for line, row in _rows(table):
        name, text, split = _checked(table, line, row)
        place = places.setdefault(name, len(places))
        if place == len(splits):
            splits.append(split)
        elif splits[place] != split:
            raise _bad(table, line, f"{name!r} has another split here")
        first = seen.setdefault((place, text), line)
        if first != line:
            raise _bad(table, line, f"{name!r} has the same text on line {first}")
        texts.append(text)
        pictures.append(place)
    if not texts:
        raise _bad(table, 1, "there is no pair")
    if "" in splits and len(set(splits)) > 1:
        raise _bad(table, 1, "some pictures have a split, and others have none")
    paths = list(places)
    _check_there(table, paths)
    return Pairs(
        path=table,
        sources=tuple(map(printable, paths)),
        splits=tuple(splits),
        texts=tuple(texts),
        pictures=np.array(pictures, dtype=np.int64),
        read=lambda i: FilePicture(read_regular(table.parent / paths[i], LIMITS.content_bytes + 1)),
    )


def _table(path: Path) -> Path:
    if not files.is_there(path):
        raise NotFoundError(f"{path} does not exist, or may not be looked at", path=path)
    if not path.is_dir():
        if path.suffix.lower() not in SUFFIXES:
            raise _bad(path, 1, "it is no .csv, .tsv or .json")
        return path
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and one.is_file())
    if len(found) != 1:
        names = ", ".join(one.name for one in found[:5]) or "none"
        raise DataError(
            f"{path} is a folder with {len(found)} tables: {names}",
            code="ambiguous_layout" if found else "unknown_layout",
            hint="name the table itself: a .csv, .tsv or .json with path and text",
            path=path,
        )
    return found[0]


def _rows(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the number and the cells of every line, by the name of their column in small letters."""
    try:
        content = read_regular(table, _MOST_BYTES + 1)
    except ImageError as error:
        raise DataError(error.message, code=error.code, path=table) from error
    if len(content) > _MOST_BYTES:
        raise _bad(table, 1, f"it is longer than {_MOST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(table, content[: error.start].count(b"\n") + 1, "it is no UTF-8") from error
    yield from _from_json(table, text) if table.suffix.lower() == ".json" else _from_csv(table, text)


def _from_csv(table: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    first = text.partition("\n")[0]
    separator = "\t" if table.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: list[str] = []
    try:
        for cells in reader:
            if not columns:
                columns = [cell.strip().lower() for cell in cells]
                missing = [name for name in _COLUMNS if name not in columns]
                if missing:
                    kind = _HalfError if len(missing) == 1 else DataError
                    raise _bad(
                        table, 1, f"there is no column {missing[0]!r} among {', '.join(columns)}", kind
                    )
            elif any(cell.strip() for cell in cells):
                if len(cells) != len(columns):
                    raise _bad(table, reader.line_num, f"{len(cells)} cells under {len(columns)} columns")
                yield reader.line_num, dict(zip(columns, cells, strict=True))
    except csv.Error as error:
        raise _bad(table, reader.line_num, str(error)) from error


def _from_json(table: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(table, 1, f"it is no JSON: {error}") from error
    if not isinstance(rows, list):
        raise _bad(table, 1, "it is no list")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise _bad(table, number, "it is no object")
        path = row.get("path", row.get("file"))
        if path is None or "text" not in row:
            kind = DataError if path is None and "text" not in row else _HalfError
            raise _bad(table, number, f"there is no {'path' if path is None else 'text'!r}", kind)
        yield number, {**row, "path": path}


def _checked(table: Path, line: int, row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return name, text and split of a line."""
    path, text, split = row["path"], row["text"], row.get("split") or ""
    if not (isinstance(path, str) and isinstance(text, str) and isinstance(split, str)):
        raise _bad(table, line, "path, text and split are texts")
    try:
        name = inside(path.strip())
    except ValueError:
        name = ""
    if not name:
        hint = f"paths are relative to {table.parent}, and stay inside it"
        raise _bad(table, line, f"{path!r} is no path below the table's folder", hint=hint)
    text, split = " ".join(text.split()), split.strip().lower()
    if not text:
        raise _bad(table, line, f"{name!r} has an empty text")
    if split and split not in SPLITS:
        raise _bad(table, line, f"{split!r} is no split; there are {', '.join(SPLITS)}")
    return name, text, SPLITS[split] if split else ""


def _check_there(table: Path, names: list[str]) -> None:
    missing = [name for name in names if not files.is_there(table.parent / name)]
    if missing:
        raise NotFoundError(
            f"{len(missing)} of {len(names)} pictures of {table} are not there, the first is {missing[0]}",
            hint=f"paths are relative to {table.parent}",
            path=table.parent / missing[0],
        )


def _bad(
    table: Path, line: int, why: str, kind: type[DataError] = DataError, *, hint: str = _HINT
) -> DataError:
    where = "row" if table.suffix.lower() == ".json" else "line"
    return kind(f"{table}, {where} {line}: {why}", code="bad_pairs", hint=hint, path=table)
