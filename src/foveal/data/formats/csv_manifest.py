"""A table that names each picture and its class: `path,label[,split][,group]`, as CSV or TSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.core.text import printable
from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import stored
from foveal.data.formats._band_names import BANDS, band_names, write_names
from foveal.data.formats._classes import class_name
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import by_key
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._splits import ORDER, SPLITS
from foveal.data.formats._tables import MOST_BYTES, TABLES, decoded, delimiter, first_cells, small
from foveal.data.formats._writing import Row, Written, write_pictures, write_table, written_rows
from foveal.data.tree import Tree, inside

_NEEDED = ("path", "label")
_KNOWN = (*_NEEDED, "split")


class _Line(NamedTuple):
    line: int
    values: dict[str, str]


def _candidates(tree: Tree) -> list[str]:
    """Return the tables at the root whose first line names a path and a label."""
    names = [
        name for name in tree.files if name.lower().endswith(TABLES) and "/" not in name and name != GROUPS
    ]
    return [name for name in names if set(_NEEDED) <= set(_header(tree, name))]


def _header(tree: Tree, name: str) -> list[str]:
    return small(first_cells(tree, name), _KNOWN)


def _lacks(tree: Tree) -> str | None:
    return None if _candidates(tree) else "no .csv or .tsv whose first line has the columns path and label"


def _read(tree: Tree, group: str | None) -> Dataset:
    names = _candidates(tree)
    if len(names) > 1:
        raise DataError(
            f"{tree.path} holds several manifests: {', '.join(names[:5])}",
            code="ambiguous_layout",
            hint=f"name the one you mean, for example {tree.path / names[0]}",
            path=tree.path,
        )
    manifest = names[0]
    header, rows = _rows(tree, manifest)
    rows.sort(key=_place)
    classes = tuple(sorted({row.values["label"] for row in rows}))
    index = {name: label for label, name in enumerate(classes)}
    paths = [row.values["path"] for row in rows]
    sources = tuple(map(printable, paths))
    columns = {name: [row.values[name] for row in rows] for name in header if name not in ("path", "split")}
    grouped = by_key(tree, paths, group, columns, label="label")
    taken = {*paths, manifest, GROUPS, BANDS}
    return Dataset(
        format="csv_manifest",
        path=tree.path,
        classes=classes,
        sources=sources,
        labels=np.array([index[row.values["label"]] for row in rows], dtype=np.int64),
        splits=tuple(row.values["split"] for row in rows),
        read=lambda i: stored(tree, paths[i]),
        groups=grouped.groups,
        grouped_by=grouped.by,
        not_grouped_by=grouped.unused,
        folders=_folders(rows),
        ignored=tuple(printable(name) for name in (*tree.files, *tree.passed_over) if name not in taken),
        band_names=band_names(tree),
    )


def picture_folders(tree: Tree) -> set[str]:
    """Return the folders that the tables of a tree list pictures in; "" for the root.

    Raises:
        DataError: `bad_manifest`.
    """
    rows = (row for name in _candidates(tree) for row in _rows(tree, name)[1])
    return {row.values["path"].rpartition("/")[0] for row in rows}


def _place(row: _Line) -> tuple[str, str]:
    """Return where a picture comes among all, whatever its split: pixels are remembered by their place."""
    return row.values["label"], row.values["path"]


def _folders(rows: Sequence[_Line]) -> dict[str, tuple[str, ...]]:
    """Return the classes of each split, all of one split where there is none."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.values["split"], set()).add(row.values["label"])
    return {split: tuple(sorted(found[split])) for split in (*ORDER, "") if split in found}


def _rows(tree: Tree, name: str) -> tuple[list[str], list[_Line]]:
    """Return the columns and every row with all of them, checked; without a column split, it is empty."""
    content = tree.read(name, at_most=MOST_BYTES)
    if len(content) > MOST_BYTES:
        raise _bad(tree, name, 1, f"it is longer than {MOST_BYTES} bytes")
    text = decoded(content)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(name, text.partition("\n")[0]))
    columns: list[str] = []
    rows: list[_Line] = []
    seen: dict[str, int] = {}
    try:
        for cells in reader:
            if not columns:
                columns = small(cells, _KNOWN)
                _check_columns(tree, name, columns)
            elif any(cell.strip() for cell in cells):
                row = _row(tree, name, reader.line_num, columns, cells)
                first = seen.setdefault(row.values["path"], row.line)
                if first != row.line:
                    raise _bad(tree, name, row.line, f"{row.values['path']!r} is on line {first}, too")
                rows.append(row)
    except csv.Error as error:
        raise _bad(tree, name, reader.line_num, str(error)) from error
    parts = {row.values["split"] for row in rows}
    if "" in parts and len(parts) > 1:
        line = next(row.line for row in rows if not row.values["split"])
        raise _bad(tree, name, line, "it has no split, but other lines have one")
    return columns, rows


def _check_columns(tree: Tree, name: str, columns: Sequence[str]) -> None:
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise _bad(tree, name, 1, f"the column {twice[0]!r} is there twice")


def _row(tree: Tree, name: str, line: int, columns: Sequence[str], cells: Sequence[str]) -> _Line:
    if len(cells) != len(columns):
        raise _bad(tree, name, line, f"{len(cells)} cells under {len(columns)} columns")
    values = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
    try:
        path = inside(values["path"])
    except ValueError:
        path = ""
    if not path:
        raise _bad(tree, name, line, f"{values['path']!r} is no path below the manifest's folder")
    label = class_name(values["label"])
    if not label:
        raise _bad(tree, name, line, f"{path!r} has no label")
    split = values.get("split", "")
    if split and split.lower() not in SPLITS:
        raise _bad(tree, name, line, f"{split!r} is no split; there are {', '.join(SPLITS)}")
    known = {"path": path, "label": label, "split": SPLITS[split.lower()] if split else ""}
    return _Line(line, {**values, **known})


def _bad(tree: Tree, name: str, line: int, why: str) -> DataError:
    return DataError(
        f"{tree.path}: {printable(name)}, line {line}: {why}",
        code="bad_manifest",
        hint="the first line is path,label and perhaps split and group; then a line per picture",
        path=tree.path,
    )


def _write(dataset: Dataset, rows: Sequence[Row], folder: Path, progress: Progress) -> Written:
    """Write the pictures into one folder, and a table beside it; a class without pictures is not in it."""
    places = {row.index: f"pictures/{row.index:07d}-{row.name}" for row in rows}
    (folder / "pictures").mkdir()
    left_out = write_pictures(dataset, places, folder, progress)
    kept = written_rows(rows, left_out)
    columns = [("path", [places[row.index] for row in kept]), ("label", [row.label for row in kept])]
    columns += [
        (name, values)
        for name, values in (("split", [row.split for row in kept]), ("group", [row.group for row in kept]))
        if any(values)
    ]
    lines = zip(*(values for _, values in columns), strict=True)
    write_table(folder / "manifest.csv", [[name for name, _ in columns], *lines])
    write_names(folder, dataset.band_names)
    there = {row.label for row in kept}
    return Written(tuple(name for name in dataset.classes if name in there), left_out)


csv_manifest = Format(
    looks_for="a .csv or .tsv with the columns path, label and perhaps split, group",
    lacks=_lacks,
    read=_read,
    precedes=("image_folder",),
    write=_write,
)
