"""Tables that spreadsheets write: CSV with commas, semicolons or tabs, and TSV."""

import csv
from collections.abc import Sequence

from foveal.core.errors import ImageError
from foveal.data.tree import Tree

TABLES = (".csv", ".tsv")
MOST_BYTES = 2**28
_HEAD_BYTES = 2**16


def first_cells(tree: Tree, name: str) -> list[str]:
    """Return the cells of a table's first line; none where it cannot be read, and may be anything."""
    try:
        first = decoded(tree.fetch(name, _HEAD_BYTES)).partition("\n")[0]
        return next(csv.reader([first], delimiter=delimiter(name, first)), [])
    except (csv.Error, ImageError):
        return []


def decoded(content: bytes) -> str:
    """Return a table's bytes as text; those that are no UTF-8 stay what they are, as in names of files."""
    return content.decode("utf-8-sig", "surrogateescape")


def delimiter(name: str, first_line: str) -> str:
    """Return what separates the columns: spreadsheets of half the world write semicolons."""
    if name.lower().endswith(".tsv"):
        return "\t"
    return max(",;\t", key=first_line.count)


def small(cells: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the names of columns, the known ones in small letters."""
    return [cell.strip().lower() if cell.strip().lower() in known else cell.strip() for cell in cells]
