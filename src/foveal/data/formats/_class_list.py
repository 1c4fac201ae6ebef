"""A list of classes beside the data: `classes.txt` and its like, a name on each line."""

from collections.abc import Iterable, Sequence

from foveal.core.errors import DataError
from foveal.data.formats._annotations import bad, read_lines
from foveal.data.formats._classes import class_name
from foveal.data.tree import Tree

CLASSES = "classes.txt"


def listed_classes(tree: Tree, files: Sequence[str] = (CLASSES,)) -> tuple[str, tuple[str, ...]] | None:
    """Return the first list that is there, and the classes on it; None where none is.

    Args:
        tree: Where it may lie.
        files: What it may be called.

    Raises:
        DataError: `bad_annotation`: it is empty, or names a class twice.
    """
    file = next((name for name in files if name in tree.files), None)
    if file is None:
        return None
    names: dict[str, int] = {}
    for line, text in read_lines(tree, file):
        name = class_name(text)
        if name in names:
            raise bad(tree, file, line, f"the class {name!r} is on line {names[name]}, too")
        names[name] = line
    if not names:
        raise bad(tree, file, 1, "it lists no class")
    return file, tuple(names)


def classes_of(tree: Tree, found: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the classes in order, and the files that say so: those of `classes.txt`, or all found, sorted.

    Raises:
        DataError: `bad_annotation`: the list lacks a class that objects have.
    """
    names = set(found)
    listed = listed_classes(tree)
    if listed is None:
        return tuple(sorted(names)), ()
    missing = sorted(names - set(listed[1]))
    if missing:
        raise _lacks(tree, listed[0], missing)
    return listed[1], (listed[0],)


def _lacks(tree: Tree, file: str, missing: Sequence[str]) -> DataError:
    return bad(
        tree, file, None, f"objects are of class {missing[0]!r}, which it does not list",
        hint=f"add it to {file}, or remove the list",
    )  # fmt: skip
