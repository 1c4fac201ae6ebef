"""The one folder that archives often have around everything."""

from foveal.data.formats._groups import GROUPS
from foveal.data.formats._splits import SPLITS
from foveal.data.suffixes import is_clip, is_picture
from foveal.data.tree import Tree, below

_TABLES = (".csv", ".tsv")


def levels(tree: Tree) -> list[Tree]:
    """Return a tree, and what lies in the folder around everything, and in the one in that, and so on.

    A plain folder is only itself: its one folder may be the one class there is, and can be named.
    """
    found = [tree]
    while top := folder_around(found[-1]):
        found.append(below(found[-1], top))
    return found


def folder_around(tree: Tree) -> str:
    """Return the folder of an archive that all of the data lie in; "" where they lie in several, or in none.

    A folder that is called like a split is none, and none is around `groups.csv` beside it.
    """
    if tree.kind not in ("zip", "tar") or any(name.casefold() == GROUPS for name in tree.files):
        return ""
    names = [name for name in tree.files if is_picture(name) or name.lower().endswith(".npz")]
    names = names or [name for name in tree.files if is_clip(name)]
    names = names or [name for name in tree.files if name.lower().endswith(_TABLES)]
    tops = {name.partition("/")[0] for name in names}
    top = tops.pop() if len(tops) == 1 else ""
    return top if top in tree.folders and top.lower() not in SPLITS else ""
