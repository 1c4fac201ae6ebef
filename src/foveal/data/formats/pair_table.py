"""A table with a line for each pair: `image,template,annotation[,split][,group]`.

The annotation is a text with a defect on each line, `x1 y1 x2 y2 kind`; an empty cell, or an empty text, says
that the part is good. Many pictures may have one template.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from foveal.core.errors import DataError
from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import bad, clean, read_bytes
from foveal.data.formats._class_list import classes_of
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import NONE, grouped_by_column
from foveal.data.formats._pairs import defects_in, pair_dataset
from foveal.data.formats._scenes import Shot
from foveal.data.formats._splits import SPLITS
from foveal.data.formats._tables import MOST_BYTES, TABLES, decoded, delimiter, first_cells, small
from foveal.data.tree import Tree

_NEEDED = ("image", "template", "annotation")
_KNOWN = (*_NEEDED, "split", "group")


class _Line(NamedTuple):
    number: int
    image: str
    template: str
    annotation: str
    split: str
    group: str


def _tables(tree: Tree) -> list[str]:
    names = [name for name in tree.files if name.lower().endswith(TABLES) and "/" not in name]
    return [name for name in names if set(_NEEDED) <= set(small(first_cells(tree, name), _KNOWN))]


def _lacks(tree: Tree) -> str | None:
    return None if _tables(tree) else "no .csv or .tsv whose first line has image, template and annotation"


def _read(tree: Tree, group: str | None) -> Dataset:
    names = _tables(tree)
    if len(names) > 1:
        raise DataError(
            f"{tree.path} holds several tables of pairs: {', '.join(names[:5])}",
            code="ambiguous_layout",
            hint=f"name the one you mean, for example {tree.path / names[0]}",
            path=tree.path,
        )
    lines = list(_lines(tree, names[0]))
    seen: dict[str, int] = {}
    for line in lines:
        if seen.setdefault(line.image, line.number) != line.number:
            raise bad(tree, names[0], line.number, f"{line.image!r} is on line {seen[line.image]}, too")
    shots = [
        Shot(line.image, line.split, defects_in(tree, line.annotation) if line.annotation else [])
        for line in lines
    ]
    classes, lists = classes_of(tree, (one.label for shot in shots for one in shot.objects))
    columns = {line.image: line.group for line in lines}
    keyed = any(columns.values()) and group in (None, "group")
    dataset = pair_dataset(
        "pair_table",
        tree,
        shots,
        {line.image: line.template for line in lines},
        classes=classes,
        group=NONE if keyed else group,
        files=[names[0], *lists, *(line.annotation for line in lines if line.annotation)],
    )
    return grouped_by_column(tree, dataset, columns, group) if keyed else dataset


def _lines(tree: Tree, table: str) -> Iterator[_Line]:
    text = decoded(read_bytes(tree, table, at_most=MOST_BYTES))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(table, text.partition("\n")[0]))
    columns: list[str] = []
    try:
        for cells in reader:
            if not columns:
                columns = small(cells, _KNOWN)
            elif any(cell.strip() for cell in cells):
                if len(cells) != len(columns):
                    raise bad(
                        tree, table, reader.line_num, f"{len(cells)} cells under {len(columns)} columns"
                    )
                yield _line(tree, table, reader.line_num, columns, [cell.strip() for cell in cells])
    except csv.Error as error:
        raise bad(tree, table, reader.line_num, str(error)) from error


def _line(tree: Tree, table: str, number: int, columns: Sequence[str], cells: Sequence[str]) -> _Line:
    row = dict(zip(columns, cells, strict=True))
    paths = {}
    for name in _NEEDED:
        path = clean(row[name]) if row[name] or name != "annotation" else ""
        if path is None:
            raise bad(tree, table, number, f"{name} {row[name]!r} is no path below the table's folder")
        paths[name] = path
    if paths["annotation"] and tree.kind != "file" and paths["annotation"] not in tree.files:
        raise bad(tree, table, number, f"there is no {paths['annotation']!r}")
    split = row.get("split", "").lower()
    if split and split not in SPLITS:
        raise bad(tree, table, number, f"{split!r} is no split; there are {', '.join(SPLITS)}")
    return _Line(
        number, paths["image"], paths["template"], paths["annotation"],
        SPLITS[split] if split else "", row.get("group", ""),
    )  # fmt: skip


def picture_folders(tree: Tree) -> set[str]:
    """Return the folders that the tables of a tree list pictures in; "" for the root.

    Raises:
        DataError: `bad_annotation`.
    """
    lines = (line for name in _tables(tree) for line in _lines(tree, name))
    return {
        name.rpartition("/")[0] for line in lines for name in (line.image, line.template, line.annotation)
    }


pair_table = Format(
    looks_for="a .csv or .tsv with the columns image, template, annotation and perhaps split, group",
    lacks=_lacks,
    read=_read,
    precedes=("csv_manifest", "csv_boxes", "image_folder"),
    tasks=("detect",),
)
