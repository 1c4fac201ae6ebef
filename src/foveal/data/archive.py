"""Zip and tar files, read in place: nothing of them is ever written under a name of theirs.

A zip is read where it lies. A compressed tar, which has no index, is decompressed once into an unnamed
temporary. Names that would escape, clash or point elsewhere are refused even though nothing is
extracted here: the next tool would extract them.
"""

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import IO

from foveal.core.errors import DataError, ImageError, WriteError
from foveal.data.tree import Tree, is_clutter, parents

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_PIECE = 2**20
_BLOCK = 512  # tar's unit
_BROKEN_MEMBER = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold at most.

    Attributes:
        members: Number of entries.
        uncompressed_bytes: Sum of their lengths, counted while decompressing.
        memory_bytes: A compressed tar larger than this is decompressed to disk.
    """

    members: int = 1_000_000
    uncompressed_bytes: int = 32 * 10**9
    memory_bytes: int = 256 * 2**20


ARCHIVE_LIMITS = ArchiveLimits()


def is_archive(path: Path) -> bool:
    """Return whether a file's name is that of an archive we read."""
    return path.name.lower().endswith(SUFFIXES)


def archive_tree(path: Path, *, limits: ArchiveLimits = ARCHIVE_LIMITS) -> Tree:
    """Return the files of a zip or tar(.gz, .xz, .bz2), told apart by content.

    Raises:
        DataError: `not_an_archive`, `archive_corrupt`, `archive_unsafe` or `archive_limit`.
        WriteError: No room for the decompressed temporary.
    """
    try:
        stored = path.open("rb")
        magic = stored.read(6)
        stored.seek(0)
        if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _zip_tree(path, stored, limits)
        opener = _decompressor(magic)
        if opener is None:
            return _tar_tree(path, _Shared(stored), limits)
        with stored, opener(stored) as compressed:
            return _tar_tree(path, _decompress(path, compressed, limits), limits)
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        raise DataError(f"cannot read {path}: {error.strerror}", code="io_error", path=path) from error


class _Shared:
    """An open file that any thread may read from, closed when nobody holds this any more."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._lock = threading.Lock()
        weakref.finalize(self, file.close)

    def at(self, place: int, count: int) -> bytes:
        with self._lock:
            self.file.seek(place)
            return self.file.read(count)


def _zip_tree(path: Path, stored: IO[bytes], limits: ArchiveLimits) -> Tree:
    try:
        archive = zipfile.ZipFile(stored)
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        stored.close()
        raise DataError(f"{path} is no readable zip: {error}", code="archive_corrupt", path=path) from error
    weakref.finalize(archive, stored.close)
    names = _Names(path, limits)
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise names.unsafe(member.orig_filename, "is a link or a device")
        if member.flag_bits & 1:
            raise DataError(f"{path}: {member.filename!r} is encrypted", code="archive_encrypted", path=path)
        name = names.add(member.orig_filename, member.file_size, folder=member.is_dir())
        if name is not None:
            members[name] = member

    def fetch(name: str, count: int) -> bytes:
        try:
            with archive.open(members[name]) as content:
                return content.read(count)
        except _BROKEN_MEMBER as error:
            message = f"{path}: {name!r} cannot be read: {error}"
            raise ImageError(message, code="corrupt", path=path) from error

    sizes = {name: members[name].file_size for name in sorted(members)}
    return Tree(path, "zip", sizes, names.folders(), (), fetch)


def _tar_tree(path: Path, shared: _Shared, limits: ArchiveLimits) -> Tree:
    names = _Names(path, limits)
    shared.file.seek(0)
    places: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(fileobj=shared.file, mode="r:") as archive:
            for member in archive:
                if not (member.isfile() or member.isdir()) or member.issparse():
                    raise names.unsafe(member.name, "is a link, a device or sparse")
                name = names.add(member.name, member.size, folder=member.isdir())
                if name is not None:
                    places[name] = (member.offset_data, member.size)
            end = archive.offset
    except (tarfile.TarError, EOFError, OSError) as error:
        code = "archive_corrupt" if places else "not_an_archive"
        raise DataError(f"{path} is no readable tar: {error}", code=code, path=path) from error
    # tarfile takes a damaged header for the end; the real end is a block of zeros.
    if shared.at(end, _BLOCK) != bytes(_BLOCK):
        raise DataError(f"{path} ends too early or is damaged", code="archive_corrupt", path=path)

    def fetch(name: str, count: int) -> bytes:
        place, size = places[name]
        return shared.at(place, min(count, size))

    sizes = {name: places[name][1] for name in sorted(places)}
    return Tree(path, "tar", sizes, names.folders(), (), fetch)


def _decompressor(magic: bytes) -> Callable[[IO[bytes]], BufferedIOBase] | None:
    if magic.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile
    if magic.startswith(b"\x1f\x8b"):
        return lambda file: gzip.GzipFile(fileobj=file)
    return bz2.BZ2File if magic.startswith(b"BZh") else None


def _decompress(path: Path, compressed: BufferedIOBase, limits: ArchiveLimits) -> _Shared:
    plain = _Shared(tempfile.SpooledTemporaryFile(max_size=limits.memory_bytes))  # noqa: SIM115
    length = 0
    while piece := _next_piece(path, compressed):
        length += len(piece)
        if length > limits.uncompressed_bytes:
            raise _too_much(path, f"more than {limits.uncompressed_bytes} bytes")
        try:
            plain.file.write(piece)
        except OSError as error:
            raise WriteError(
                f"no room to decompress {path}: {error.strerror}",
                hint="set TMPDIR to a folder on a larger disk",
                path=path,
            ) from error
    return plain


def _next_piece(path: Path, compressed: BufferedIOBase) -> bytes:
    try:
        return compressed.read(_PIECE)
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be decompressed: {error}", code="archive_corrupt", path=path
        ) from error


def _too_much(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} holds {what}", code="archive_limit", hint="unpack it yourself if you trust it", path=path
    )


class _Names:
    """The names of an archive's members as they come in; refuses what no honest archive has."""

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        self._path, self._limits = path, limits
        self._files: dict[str, str] = {}  # by casefolded name
        self._folders: set[str] = set()
        self._members = self._bytes = 0

    def unsafe(self, name: str, why: str) -> DataError:
        return DataError(
            f"{self._path}: member {name!r} {why}",
            code="archive_unsafe",
            hint="make the archive anew from plain files with distinct relative names",
            path=self._path,
        )

    def add(self, raw: str, size: int, *, folder: bool) -> str | None:
        """Return the member's clean name; None for folders and clutter."""
        self._members += 1
        self._bytes += size
        if self._members > self._limits.members:
            raise _too_much(self._path, f"more than {self._limits.members} members")
        if self._bytes > self._limits.uncompressed_bytes:
            raise _too_much(self._path, f"more than {self._limits.uncompressed_bytes} bytes")
        name = self._clean(raw)
        if folder:
            self._folders.update([name, *parents(name)] if name and not is_clutter(name) else [])
            return None
        if not name:
            raise self.unsafe(raw, "has no name")
        clash = self._files.setdefault(name.casefold(), raw)
        if clash is not raw:
            raise self.unsafe(raw, f"clashes with {clash!r}")
        if is_clutter(name):
            return None
        self._folders.update(parents(name))
        return name

    def _clean(self, raw: str) -> str:
        if "\0" in raw:
            raise self.unsafe(raw, "has a NUL in its name")
        name = raw.replace("\\", "/")
        if name.startswith("/") or _DRIVE.match(name):
            raise self.unsafe(raw, "has an absolute name")
        parts = name.split("/")
        if ".." in parts:
            raise self.unsafe(raw, "points outside the archive")
        return "/".join(part for part in parts if part not in ("", "."))

    def folders(self) -> tuple[str, ...]:
        """Return all folders seen, sorted; a name that is a file and a folder is refused."""
        for name in self._folders & set(self._files.values()):
            raise self.unsafe(name, "is a file and a folder")
        return tuple(sorted(self._folders))
