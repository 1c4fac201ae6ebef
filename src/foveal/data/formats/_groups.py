"""`groups.csv` beside the pictures: which of them belong together and must not be torn apart."""

import csv
import io
from collections.abc import Sequence

from foveal.core.errors import DataError
from foveal.data.tree import Tree

GROUPS = "groups.csv"
_HEADER = ["picture", "group"]
_MOST_BYTES = 2**28


def has_groups(tree: Tree) -> bool:
    """Return whether the file is there.

    Raises:
        DataError: `bad_groups`: something is there that nearly is the file, and would be overlooked.
    """
    for found in (*tree.files, *tree.passed_over, *tree.folders):
        if found.casefold() == GROUPS and (found != GROUPS or found not in tree.files):
            raise _bad(tree, f"{found!r} is not used, because it is no regular file of exactly that name")
    return GROUPS in tree.files


def read_groups(tree: Tree, names: Sequence[str], *, beside: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Return the group of each picture; one that the file does not list stands alone. None without a file.

    Args:
        tree: Where the file may lie, at the root.
        names: The pictures.
        beside: Other names that the file may list: they are passed over.

    Raises:
        DataError: `bad_groups`: no such header, a line without group, a picture that is not there or that is
            in two groups.
    """
    if not has_groups(tree):
        return None
    content = tree.read(GROUPS, at_most=_MOST_BYTES)
    if len(content) > _MOST_BYTES:
        raise _bad(tree, f"it is longer than {_MOST_BYTES} bytes")
    text = content.decode("utf-8-sig", "surrogateescape")
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row] or [[]]
    except csv.Error as error:
        raise _bad(tree, str(error)) from error
    if header != _HEADER:
        raise _bad(tree, f"its first line is {','.join(header)!r}, not {','.join(_HEADER)!r}")
    known = {*names, *beside}
    for row in rows:
        if len(row) != len(_HEADER) or row[0] not in known or not row[1].strip():
            raise _bad(tree, f"{','.join(row)!r} names no picture of the data set, or no group")
    group: dict[str, str] = {}
    for name, found in rows:
        if group.setdefault(name, found) != found:
            raise _bad(tree, f"{name!r} is in two groups, {group[name]!r} and {found!r}")
    return tuple(f"group {group[name]}" if name in group else f"alone {name}" for name in names)


def _bad(tree: Tree, why: str) -> DataError:
    return DataError(
        f"{tree.path}: {GROUPS}: {why}",
        code="bad_groups",
        hint="one line per picture, such as train/cat/1.jpg,track 7",
        path=tree.path,
    )
