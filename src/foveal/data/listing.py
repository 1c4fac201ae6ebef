"""The pictures that INPUT… names: files, folders, patterns, or a list on stdin."""

import codecs
import glob
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from foveal.core.errors import NotFoundError, UsageError
from foveal.data.suffixes import is_picture
from foveal.data.tree import folder_tree, is_clutter

Wanted = Callable[[str], bool]  # whether a file in a folder is meant, by its name


def paths(inputs: Sequence[str], *, null: bool = False, wanted: Wanted = is_picture) -> Iterator[str]:
    """Yield the files that are meant, one after the other, as they are needed.

    A folder stands for all pictures below it, by their suffix, in the order of their names, links that lead
    nowhere too; a pattern
    that the shell left alone for what it matches, each file once; `-` for a list on stdin. A file that
    does not exist is yielded too, and a folder that cannot be listed: whoever reads it says so.

    Args:
        inputs: What the person wrote.
        null: The list on stdin is separated by NUL instead of by lines.
        wanted: What is meant of a folder, by its name.
    """
    for text in inputs:
        if text == "-":
            for name in names_in(stdin(), null=null):
                yield from below(name, wanted=wanted)
        else:
            yield from meant_by(text, wanted=wanted)


def meant_by(
    text: str, *, left_out: Counter[str] | None = None, wanted: Wanted = is_picture
) -> Iterator[str]:
    """Yield the files that one file, folder or pattern means; see `paths`.

    Args:
        text: What the person wrote.
        left_out: Counts what lies in folders and is not meant: `hidden`, and `no_picture` by its suffix.
        wanted: What is meant of a folder, by its name.
    """
    for name in matched(text):
        yield from below(name, left_out, wanted)


def matched(text: str) -> Iterator[str]:
    """Yield one file, folder or pattern as it is, or what a pattern matches, each once.

    What lies in a folder that is matched too is left to the list of that folder; none is looked into here.
    """
    if not glob.has_magic(text) or _mode(text) != 0:
        yield text
        return
    found = sorted(set(glob.iglob(text, recursive=True)))  # noqa: PTH207 (Path refuses absolute patterns)
    every = {str(Path(name)) for name in found}
    yield from (name for name in found if not _is_listed(Path(name), every))


def names(inputs: Sequence[str]) -> Iterator[str]:
    """Yield what is named: a pattern or a list as the files it stands for, folders as they are.

    Args:
        inputs: What the person wrote; see `paths`.
    """
    for text in inputs:
        is_one = text != "-" and (_mode(text) != 0 or not glob.has_magic(text))
        yield from [text] if is_one else paths([text])


def _is_listed(path: Path, every: set[str]) -> bool:
    """Return whether one of the folders is matched too and its list, which leaves clutter out, has this."""
    return any(
        str(folder) in every and not is_clutter(path.relative_to(folder).as_posix())
        for folder in path.parents
    )


def below(name: str, left_out: Counter[str] | None = None, wanted: Wanted = is_picture) -> Iterator[str]:
    """Yield a file, or the pictures below a folder; see `meant_by`."""
    if stat.S_ISDIR(_mode(name)):
        unlistable: list[str] = []  # like a file that is not there: whoever reads it says so
        tree = folder_tree(Path(name), unlistable=unlistable)
        everything = (*tree.files, *tree.passed_over)
        pictures = [file for file in everything if wanted(file)]
        if left_out is not None:
            left_out["hidden"] += tree.hidden
            left_out["no_picture"] += len(everything) - len(pictures)
        yield from (str(Path(name, file)) for file in sorted([*pictures, *unlistable]))
    else:
        yield name


def _mode(name: str) -> int:
    """Return what kind of file it is, 0 where there is none."""
    try:
        return Path(name).stat().st_mode
    except (OSError, ValueError):  # also a name that is too long or has a NUL in it
        return 0


def stdin() -> Iterator[bytes]:
    """Yield what comes on stdin, as it comes.

    Raises:
        NotFoundError: It is closed.
    """
    if sys.stdin is None:
        raise NotFoundError("stdin is closed: there is no list to read", hint="pipe names into the command")
    while block := os.read(sys.stdin.fileno(), 1 << 16):
        yield block


def names_in(blocks: Iterable[bytes], *, null: bool) -> Iterator[str]:
    """Yield the names of a list, each as soon as its end has come.

    Args:
        blocks: The list, cut anywhere.
        null: Names are separated by NUL instead of by lines.

    Raises:
        UsageError: A line holds NUL, which is in no name.
    """
    end, padding = (b"\0", b"") if null else (b"\n", b"\r")  # a list from Windows ends its lines with both
    mark = b"" if null else codecs.BOM_UTF8  # and begins with it
    rest = b""
    for block in blocks:
        *names, rest = (rest + block).split(end)
        for name in names:
            yield from _name(name.removeprefix(mark).removesuffix(padding))
            mark = b""
    yield from _name(rest.removeprefix(mark).removesuffix(padding))  # the last line needs no end


def _name(name: bytes) -> Iterator[str]:
    if b"\0" in name:
        raise UsageError(
            "the list on stdin holds NUL", hint="-0, where NUL ends each name, as find -print0 writes it"
        )
    if name:
        yield os.fsdecode(name)
