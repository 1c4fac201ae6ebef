"""A table with a line for each box: `path,label,xmin,ymin,xmax,ymax[,split][,group]`, in pixels."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from foveal.core.errors import DataError
from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import bad, clean, finite, read_bytes
from foveal.data.formats._class_list import classes_of
from foveal.data.formats._classes import class_name
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import NONE, grouped_by_column
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._scenes import One, Shot, object_dataset
from foveal.data.formats._splits import SPLITS
from foveal.data.formats._tables import MOST_BYTES, TABLES, decoded, delimiter, first_cells, small
from foveal.data.tree import Tree

_PATHS = ("path", "image", "filename", "image_path", "file")
_LABELS = ("label", "class", "class_name")
_SIDES = (("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"), ("x1", "y1", "x2", "y2"))
_KNOWN = (*_PATHS, *_LABELS, *(side for sides in _SIDES for side in sides), "split", "group")


class _Columns(NamedTuple):
    """Where on a line is what."""

    path: int
    label: int
    sides: tuple[int, ...]
    split: int | None
    group: int | None


class _Line(NamedTuple):
    line: int
    path: str
    split: str
    group: str
    one: One | None


def _columns(cells: Sequence[str]) -> _Columns | None:
    """Return the columns of a first line, None where it lacks one."""
    names = small(cells, _KNOWN)
    path = next((name for name in _PATHS if name in names), None)
    label = next((name for name in _LABELS if name in names), None)
    sides = next((some for some in _SIDES if set(some) <= set(names)), None)
    if path is None or label is None or sides is None:
        return None
    split, group = (names.index(key) if key in names else None for key in ("split", "group"))
    return _Columns(names.index(path), names.index(label), tuple(map(names.index, sides)), split, group)


def _candidates(tree: Tree) -> list[str]:
    names = [
        name for name in tree.files if name.lower().endswith(TABLES) and "/" not in name and name != GROUPS
    ]
    return [name for name in names if _columns(first_cells(tree, name))]


def _lacks(tree: Tree) -> str | None:
    return None if _candidates(tree) else "no .csv or .tsv whose first line has path, label and four sides"


def _read(tree: Tree, group: str | None) -> Dataset:
    names = _candidates(tree)
    if len(names) > 1:
        raise DataError(
            f"{tree.path} holds several tables of boxes: {', '.join(names[:5])}",
            code="ambiguous_layout",
            hint=f"name the one you mean, for example {tree.path / names[0]}",
            path=tree.path,
        )
    table = names[0]
    pictures: dict[str, list[_Line]] = {}
    for line in _lines(tree, table):
        pictures.setdefault(line.path, []).append(line)
    for lines in pictures.values():
        _check_agreement(tree, table, lines)
    shots = [
        Shot(path, lines[0].split, [line.one for line in lines if line.one is not None])
        for path, lines in pictures.items()
    ]
    classes, lists = classes_of(tree, (one.label for shot in shots for one in shot.objects))
    groups = {path: lines[0].group for path, lines in pictures.items()}
    keyed = any(groups.values()) and group in (None, "group")
    dataset = object_dataset("csv_boxes", tree, shots, classes, NONE if keyed else group, [table, *lists])
    return grouped_by_column(tree, dataset, groups, group) if keyed else dataset


def picture_folders(tree: Tree) -> set[str]:
    """Return the folders that the tables of a tree list pictures in; "" for the root.

    Raises:
        DataError: `bad_annotation`.
    """
    return {line.path.rpartition("/")[0] for name in _candidates(tree) for line in _lines(tree, name)}


def _lines(tree: Tree, table: str) -> Iterator[_Line]:
    text = decoded(read_bytes(tree, table, at_most=MOST_BYTES))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(table, text.partition("\n")[0]))
    columns: _Columns | None = None
    width = 0
    try:
        for cells in reader:
            if columns is None:
                columns, width = _columns(cells), len(cells)
                assert columns is not None  # or it would be no candidate
            elif any(cell.strip() for cell in cells):
                if len(cells) != width:
                    raise bad(tree, table, reader.line_num, f"{len(cells)} cells under {width} columns")
                yield _line(tree, table, reader.line_num, columns, [cell.strip() for cell in cells])
    except csv.Error as error:
        raise bad(tree, table, reader.line_num, str(error)) from error


def _line(tree: Tree, table: str, line: int, columns: _Columns, cells: Sequence[str]) -> _Line:
    path = clean(cells[columns.path])
    if path is None:
        raise bad(tree, table, line, f"{cells[columns.path]!r} is no path below the table's folder")
    split = "" if columns.split is None else cells[columns.split]
    if split and split.lower() not in SPLITS:
        raise bad(tree, table, line, f"{split!r} is no split; there are {', '.join(SPLITS)}")
    group = "" if columns.group is None else cells[columns.group]
    label, texts = class_name(cells[columns.label]), [cells[place] for place in columns.sides]
    one = None
    if label or any(texts):
        sides = [finite(text) for text in texts]
        if not label:
            raise bad(tree, table, line, "the box has no label")
        if None in sides:
            raise bad(tree, table, line, f"{texts[sides.index(None)]!r} is no number of pixels")
        left, top, right, bottom = (side for side in sides if side is not None)
        one = One((left, top, right, bottom), label)
    return _Line(line, path, SPLITS[split.lower()] if split else "", group, one)


def _check_agreement(tree: Tree, table: str, lines: Sequence[_Line]) -> None:
    first = lines[0]
    for line in lines:
        if (line.split, line.group) != (first.split, first.group):
            why = f"{line.path!r} is in another split or group than on line {first.line}"
            raise bad(tree, table, line.line, why)
        if line.one is None and len(lines) > 1:
            raise bad(tree, table, line.line, f"{line.path!r} has no box here, but other lines have one")


csv_boxes = Format(
    looks_for="a .csv or .tsv with the columns path, label, xmin, ymin, xmax, ymax and perhaps split, group",
    lacks=_lacks,
    read=_read,
    precedes=("csv_manifest", "image_folder"),
    tasks=("detect",),
)
