"""The pictures that INPUT… names: files, folders, patterns, or a list on stdin."""

import glob
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from foveal.data.formats.image_folder import is_picture
from foveal.data.tree import folder_tree


def paths(inputs: Sequence[str], *, null: bool = False) -> Iterator[str]:
    """Yield the files that are meant, one after the other, as they are needed.

    A folder stands for all pictures below it, by their suffix, in the order of their names; a pattern
    that the shell left alone for what it matches; `-` for a list on stdin. A file that does not exist
    is yielded too: whoever reads it says so.

    Args:
        inputs: What the person wrote.
        null: The list on stdin is separated by NUL instead of by lines.

    Raises:
        DataError: A folder cannot be listed.
    """
    for text in inputs:
        if text == "-":
            for name in _listed(null=null):
                yield from _below(name)
        elif glob.has_magic(text) and _mode(text) == 0:
            for name in sorted(glob.iglob(text, recursive=True)):  # noqa: PTH207 (Path refuses absolute patterns)
                yield from _below(name)
        else:
            yield from _below(text)


def _below(name: str) -> Iterator[str]:
    if stat.S_ISDIR(_mode(name)):
        yield from (str(Path(name, file)) for file in folder_tree(Path(name)).files if is_picture(file))
    else:
        yield name


def _mode(name: str) -> int:
    """Return what kind of file it is, 0 where there is none."""
    try:
        return Path(name).stat().st_mode
    except (OSError, ValueError):  # also a name that is too long or has a NUL in it
        return 0


def _listed(*, null: bool) -> Iterator[str]:
    end, padding = (b"\0", b"") if null else (b"\n", b"\r")  # a list from Windows ends its lines with both
    rest = b""
    while block := os.read(sys.stdin.fileno(), 1 << 16):
        *names, rest = (rest + block).split(end)
        yield from (os.fsdecode(name.removesuffix(padding)) for name in names if name.removesuffix(padding))
    if name := rest.removesuffix(padding):  # the last line needs no end
        yield os.fsdecode(name)
