"""What the bands of pictures are called: a line each in `bands.txt` beside the data, in their order."""

from collections.abc import Sequence
from pathlib import Path

from foveal.core import files
from foveal.core.errors import DataError
from foveal.core.text import printable
from foveal.data.bands import MOST
from foveal.data.tree import Tree

BANDS = "bands.txt"
_MOST_BYTES = 10_000


def band_names(tree: Tree) -> tuple[str, ...]:
    """Return the names, none where there is no such file.

    Raises:
        DataError: `band_names`: it is no list of different names.
    """
    if BANDS not in tree.files:
        return ()
    content = tree.read(BANDS, at_most=_MOST_BYTES)
    try:
        lines = content.decode("utf-8-sig").splitlines() if len(content) <= _MOST_BYTES else []
    except UnicodeDecodeError:
        lines = []
    return checked(tree, BANDS, [line.strip() for line in lines if line.strip()])


def checked(tree: Tree, file: str, names: list[str]) -> tuple[str, ...]:
    """Return names of bands as they can be printed; raises as `band_names`."""
    found = tuple(printable(name) for name in names)
    if not 1 <= len(found) <= MOST or len(set(found)) != len(found):
        raise DataError(
            f"{tree.path}: {file}: {len(found)} names of bands, of which {len(set(found))} differ",
            code="band_names",
            hint=f"1 to {MOST} different names, in the order of the bands",
            path=tree.path,
        )
    return found


def write_names(folder: Path, names: Sequence[str]) -> None:
    """Write the names beside data, if there are any.

    Raises:
        WriteError: They cannot be written.
    """
    if names:
        files.write_text(folder / BANDS, "".join(f"{name}\n" for name in names))
