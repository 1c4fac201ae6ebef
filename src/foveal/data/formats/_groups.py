"""`groups.csv` beside the pictures: which of them belong together and must not be torn apart."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress

from foveal.core.errors import DataError, ImageError
from foveal.data.tree import Tree, inside

GROUPS = "groups.csv"
_HEADER = ["picture", "group"]
MOST_BYTES = 2**28


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

    Beside a table or NumPy archive that was named itself it may also list pictures of others there.

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
    return listed(tree.read(GROUPS, at_most=MOST_BYTES), tree, names, beside=beside)


def listed(
    content: bytes, tree: Tree, names: Sequence[str], *, beside: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return what a list of groups says, wherever it lay; arguments and errors are those of `read_groups`."""
    if len(content) > MOST_BYTES:
        raise _bad(tree, f"it is longer than {MOST_BYTES} bytes")
    text = content.decode("utf-8-sig", "surrogateescape")
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row] or [[]]
    except csv.Error as error:
        raise _bad(tree, str(error)) from error
    if header != _HEADER:
        raise _bad(tree, f"its first line is {','.join(header)!r}, not {','.join(_HEADER)!r}")
    known = {*names, *beside}
    for row in rows:
        known_row = len(row) == len(_HEADER) and row[1].strip()
        if not known_row or not (row[0] in known or _is_of_another(tree, row[0])):
            raise _bad(tree, f"{','.join(row)!r} names no picture of the data set, or no group")
    group: dict[str, str] = {}
    for name, found in rows:
        if group.setdefault(name, found) != found:
            raise _bad(tree, f"{name!r} is in two groups, {group[name]!r} and {found!r}")
    return tuple(f"group {group[name]}" if name in group else f"alone {name}" for name in names)


def _is_of_another(tree: Tree, name: str) -> bool:
    """Return whether a picture, or the array file that holds it, is there beside the file that was named."""
    if tree.kind != "file":
        return False
    for file in {name, name.rpartition("#")[0]} - {""}:
        with suppress(ValueError, ImageError):  # leads elsewhere; is not there
            clean = inside(file)
            tree.read(clean, at_most=0)
            return clean not in tree.files
    return False


def _bad(tree: Tree, why: str) -> DataError:
    return DataError(
        f"{tree.path}: {GROUPS}: {why}",
        code="bad_groups",
        hint="one line per picture, such as train/cat/1.jpg,track 7",
        path=tree.path,
    )
