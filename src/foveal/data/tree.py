"""Where the files lie: a folder, a zip or a tar, all looked at in the same way and never unpacked."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foveal.core.errors import DataError, ImageError

_CLUTTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Tree:
    """Files below a root, by name.

    Attributes:
        path: The folder or archive.
        kind: `folder`, `zip`, `tar` or `file`.
        files: Length in bytes of each regular file; names are relative, with `/`, in code point order.
        folders: Names of all folders, empty ones too, in code point order.
        passed_over: Special files that are never opened (FIFOs, sockets, devices, dead links).
        fetch: Returns the first bytes, at most so many, of a named file; any thread may call it.
        hidden: How many entries were left out as clutter; a folder counts once, with all that is in it.
    """

    path: Path
    kind: str
    files: Mapping[str, int] = field(repr=False)
    folders: tuple[str, ...] = field(repr=False)
    passed_over: tuple[str, ...] = field(repr=False)
    fetch: Callable[[str, int], bytes] = field(repr=False)
    hidden: int = 0

    def read(self, name: str, *, at_most: int) -> bytes:
        """Return a file's content, or its first `at_most` + 1 bytes where it is longer than that.

        Raises:
            ImageError: `io_error`, `not_regular`: gone, unreadable, or replaced by something else.
        """
        return self.fetch(name, at_most + 1)


def below(tree: Tree, folder: str) -> Tree:
    """Return the part of a tree that lies in one of its folders."""
    prefix = f"{folder}/"

    def inside(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    return Tree(
        path=tree.path,
        kind=tree.kind,
        files={name: tree.files[prefix + name] for name in inside(tuple(tree.files))},
        folders=inside(tree.folders),
        passed_over=inside(tree.passed_over),
        fetch=lambda name, count: tree.fetch(prefix + name, count),
    )


def is_clutter(name: str) -> bool:
    """Return whether any part of a name is hidden or left behind by an operating system."""
    return any(part.startswith(".") or part in _CLUTTER for part in name.split("/"))


def parents(name: str) -> list[str]:
    """Return the folders that a file's name implies.

    >>> parents("train/cat/a.jpg")
    ['train/cat', 'train']
    """
    found = []
    while "/" in name:
        name = name.rpartition("/")[0]
        found.append(name)
    return found


def inside(raw: str) -> str:
    r"""Return a name that somebody else chose as one below a root: with `/`, without empty parts or `.`.

    Raises:
        ValueError: It leads elsewhere; the text says how.

    >>> inside("train\\cat/./a.jpg")
    'train/cat/a.jpg'
    """
    if "\0" in raw:
        raise ValueError("has a NUL in its name")
    name = raw.replace("\\", "/")
    if name.startswith("/") or _DRIVE.match(name):
        raise ValueError("has an absolute name")
    parts = name.split("/")
    if ".." in parts:
        raise ValueError("points outside")
    return "/".join(part for part in parts if part not in ("", "."))


def folder_tree(path: Path, *, unlistable: list[str] | None = None) -> Tree:
    """Return the files below a folder; hidden ones are left out, links are followed, special files never.

    Args:
        path: The folder.
        unlistable: Gets the names, below `path`, of folders that cannot be listed; None: they are an error.

    Raises:
        DataError: `unreadable_folder`: a folder cannot be listed.
    """
    files: dict[str, int] = {}
    folders: list[str] = []
    passed_over: list[str] = []
    hidden = 0
    for name, status in _walk(path, "", (), unlistable):
        if is_clutter(name):
            hidden += 1
        elif status is None:
            passed_over.append(name)
        elif stat.S_ISDIR(status.st_mode):
            folders.append(name)
        else:
            files[name] = status.st_size
    return Tree(
        path=path,
        kind="folder",
        files=dict(sorted(files.items())),
        folders=tuple(sorted(folders)),
        passed_over=tuple(sorted(passed_over)),
        fetch=lambda name, count: read_regular(path / name, count),
        hidden=hidden,
    )


def file_tree(path: Path, *, beside: str) -> Tree:
    """Return one file as a tree; others of its folder can be read by name, but are not listed.

    Args:
        path: The file.
        beside: Name of a file or folder that is listed too if it lies in the same folder, in whatever case.

    Raises:
        DataError: `io_error`: it, or its folder, cannot be looked at.
    """
    try:
        files, folders, passed_over = {path.name: path.stat().st_size}, [], []
        with os.scandir(path.parent) as found:
            for entry in found:
                if entry.name.casefold() != beside.casefold():
                    continue
                status = _status(entry)
                if status is None:
                    passed_over.append(entry.name)
                elif stat.S_ISDIR(status.st_mode):
                    folders.append(entry.name)
                else:
                    files[entry.name] = status.st_size
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", code="io_error", path=path) from error
    return Tree(
        path=path,
        kind="file",
        files=dict(sorted(files.items())),
        folders=tuple(sorted(folders)),
        passed_over=tuple(sorted(passed_over)),
        fetch=lambda name, count: read_regular(path.parent / name, count),
    )


def _walk(
    root: Path, folder: str, above: tuple[tuple[int, int], ...], unlistable: list[str] | None
) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield name and status of what lies below; None for clutter, and for what is neither file nor folder."""
    here = root / folder
    try:
        status = here.stat()
        with os.scandir(here) as found:
            entries = list(found)
    except OSError as error:
        if unlistable is not None:
            unlistable.append(folder)
            return
        raise DataError(
            f"cannot list {here}: {error.strerror}", code="unreadable_folder", path=here
        ) from error
    chain = (*above, (status.st_dev, status.st_ino))
    for entry in entries:
        name = f"{folder}/{entry.name}" if folder else entry.name
        inner = None if is_clutter(entry.name) else _status(entry)
        if inner is None or (inner.st_dev, inner.st_ino) in chain:  # a link back up would never end
            yield name, None
        else:
            yield name, inner
            if stat.S_ISDIR(inner.st_mode):
                yield from _walk(root, name, chain, unlistable)


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        status = entry.stat()
    except OSError:  # a link to nowhere, or to itself
        return None
    return status if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else None


def read_regular(path: Path, count: int) -> bytes:
    """Return the first `count` bytes of a regular file; anything else is refused and never waited for.

    Raises:
        ImageError: `not_regular` or `io_error`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ImageError(f"{path} is no regular file", code="not_regular", path=path)
            return _read_all(handle, count)
        finally:
            os.close(handle)
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}", code="io_error", path=path) from error


def _read_all(handle: int, count: int) -> bytes:
    pieces = []
    while count > 0 and (piece := os.read(handle, min(count, 2**24))):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
