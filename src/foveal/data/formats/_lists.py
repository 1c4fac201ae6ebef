"""Lists of pictures, such as `train.txt`: on a line is a name, or a picture and its map."""

from collections.abc import Callable
from typing import NamedTuple

from foveal.data.formats._annotations import bad, read_lines
from foveal.data.formats._splits import SPLITS
from foveal.data.tree import Tree

_TRAIN_AND_VAL = "trainval"


class Entry(NamedTuple):
    """A line of a list: where it is, the split that the list is of, and the words on the line."""

    file: str
    line: int
    split: str
    words: tuple[str, ...]


def split_lists(tree: Tree, folder: str = "") -> dict[str, str]:
    """Return the split of each list in a folder; of `trainval.txt` where there is none for training.

    Args:
        tree: Where they may lie.
        folder: Below its root.
    """
    prefix = f"{folder}/" if folder else ""
    lists = {f"{prefix}{word}.txt": split for word, split in SPLITS.items()}
    found = {file: split for file, split in lists.items() if file in tree.files}
    both = f"{prefix}{_TRAIN_AND_VAL}.txt"
    if "train" not in found.values() and both in tree.files:
        found[both] = "train"
    return found


def entries(tree: Tree, lists: dict[str, str]) -> list[Entry]:
    """Return what is on the lines of lists.

    Args:
        tree: Where they lie.
        lists: The split of each file.

    Raises:
        DataError: `bad_annotation`: a list cannot be read.
    """
    return [
        Entry(file, line, split, tuple(text.split()))
        for file, split in lists.items()
        for line, text in read_lines(tree, file)
    ]


def splits_listed(tree: Tree, lists: dict[str, str], named: Callable[[Entry], str | None]) -> dict[str, str]:
    """Return the split of each thing that lists name; empty where there is no list.

    Args:
        tree: Where they lie.
        lists: The split of each file.
        named: Returns what an entry means; None where that is not there.

    Raises:
        DataError: `bad_annotation`: a list names what is not there, or what is in another split, too.
    """
    found: dict[str, str] = {}
    for entry in entries(tree, lists):
        thing = named(entry)
        if thing is None:
            raise bad(tree, entry.file, entry.line, f"{entry.words[0]!r} is not there")
        if found.setdefault(thing, entry.split) != entry.split:
            raise bad(tree, entry.file, entry.line, f"{entry.words[0]!r} is in {found[thing]}, too")
    return found
