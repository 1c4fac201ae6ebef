"""Folders that are classes, with or without a folder for each split around them; pictures or films inside."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from foveal.core.errors import DataError
from foveal.data.formats._around import folder_around
from foveal.data.formats._classes import class_name
from foveal.data.formats._splits import ORDER, SPLITS
from foveal.data.tree import Tree

Wanted = Callable[[str], bool]  # whether a name is that of a file that counts


class Place(NamedTuple):
    """Where a file lies, and what that says of it."""

    split: str
    label: str
    name: str


def lacks(tree: Tree, wanted: Wanted, what: str) -> str | None:
    """Return None where files lie in class folders, else what is missing.

    Args:
        tree: Where they may lie.
        wanted: Whether a name is that of a file that counts.
        what: What to call one.
    """
    pictures = [name for name in tree.files if wanted(name)]
    if not pictures:
        return f"no {what} file in it"
    if not any("/" in name for name in pictures):
        return f"its {what}s lie in no class folder"
    around = folder_around(tree)
    if around and not any(name.count("/") == 1 for name in pictures):
        return f"{around} is no class: the folders of the classes lie in it"
    splits = split_folders(tree, wanted)
    if splits and not any(name.count("/") > 1 for name in pictures):
        return f"{' and '.join(sorted(splits))}: the {what}s in it lie in no class folder"
    return None


def split_folders(tree: Tree, wanted: Wanted) -> dict[str, str]:
    """Return the split that each top folder stands for; empty where the top folders are classes.

    Raises:
        DataError: `ambiguous_layout`: two folders for one split, or splits mixed with other folders.
    """
    tops = [name for name in tree.folders if "/" not in name]
    splits = {name: SPLITS[name.lower()] for name in tops if name.lower() in SPLITS}
    filled = {name.partition("/")[0] for name in tree.files if "/" in name and wanted(name)}
    others = sorted(filled - set(splits))
    direct = {name.partition("/")[0] for name in tree.files if name.count("/") == 1 and wanted(name)}
    if others and len(splits) == 1 and direct.issuperset(splits):
        return {}  # a class that is called "train", among other vehicles
    if splits and others:
        raise DataError(
            f"{tree.path} has split folders ({', '.join(splits)}) and other folders with pictures "
            f"({', '.join(others[:5])})",
            code="ambiguous_layout",
            hint="move the other folders away, or name the class folders differently",
            path=tree.path,
        )
    twice = [name for name, split in splits.items() if list(splits.values()).count(split) > 1]
    if twice:
        raise DataError(
            f"{tree.path} has several folders for one split: {', '.join(twice)}",
            code="ambiguous_layout",
            hint="keep one folder for each of train, val and test",
            path=tree.path,
        )
    return splits


def class_folders(tree: Tree, splits: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the classes that each split has a folder for; of a layout without splits, those of `""`."""
    found: dict[str, set[str]] = {split: set() for split in splits.values()} if splits else {"": set()}
    for name in tree.folders:
        top, _, rest = name.partition("/")
        if not splits and not rest:
            found[""].add(class_name(top))
        elif top in splits and rest and "/" not in rest:
            found[splits[top]].add(class_name(rest))
    return {split: tuple(sorted(found[split])) for split in (*ORDER, "") if split in found}


def rows_of(tree: Tree, splits: dict[str, str], wanted: Wanted) -> Iterable[Place]:
    """Yield split, class and name of each file that counts."""
    for name in tree.files:
        parts = name.split("/")
        depth = 1 if splits else 0
        if len(parts) < depth + 2 or not wanted(name) or (splits and parts[0] not in splits):
            continue
        yield Place(splits[parts[0]] if splits else "", class_name(parts[depth]), name)
