"""Zip and tar files, read in place: nothing of them is ever written under a name of theirs.

A zip is read where it lies. A compressed tar, which has no index, is decompressed once into an unnamed
temporary. Names that would escape, clash or point elsewhere are refused even though nothing is
extracted here: the next tool would extract them.
"""

import bz2
import copy
import lzma
import stat
import struct
import tarfile
import threading
import weakref
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

from foveal.core.errors import DataError, ImageError, WriteError
from foveal.data.archive_limits import ARCHIVE_LIMITS, ArchiveLimits, TarHeaders, ZipIndex, too_much
from foveal.data.tree import Tree, inside, is_clutter, parents
from foveal.data.unpacking import unpacked, unpacking

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_BLOCK = 512  # tar's unit
_ZIP_PIECE = 4096  # what zipfile reads at least
_GLOBAL_FIELDS = 100  # of pax; every member has a copy
# What the standard library raises over bytes that it did not expect, besides the errors it documents:
# a name that is no UTF-8, a version from the future, a place before the start, headers nested too deep.
_UNEXPECTED = (ValueError, OverflowError, struct.error, RuntimeError, EOFError, OSError)
_BROKEN_ZIP = (zipfile.BadZipFile, *_UNEXPECTED)
_BROKEN_TAR = (tarfile.TarError, *_UNEXPECTED)
_BROKEN_MEMBER = (zlib.error, lzma.LZMAError, MemoryError, *_BROKEN_ZIP)


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
            return zip_tree(path, stored, limits)
        unpack = unpacking(magic)
        if unpack is None:
            return _tar_tree(path, _Shared(stored), limits)
        with stored:
            return _tar_tree(path, _Shared(unpacked(path, stored, unpack, limits)), limits)
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


def zip_tree(path: Path, stored: IO[bytes], limits: ArchiveLimits) -> Tree:
    """Return the files of a zip.

    Args:
        path: What it is called in messages.
        stored: Its bytes; closed when nobody reads from the tree any more.
        limits: What it may hold.

    Raises:
        DataError: `archive_corrupt`, `archive_encrypted`, `archive_unsafe` or `archive_limit`.
    """
    index = ZipIndex(path, stored, limits)
    try:
        archive = zipfile.ZipFile(index)
    except DataError:
        stored.close()
        raise
    except _BROKEN_ZIP as error:
        stored.close()
        raise DataError(f"{path} is no readable zip: {error}", code="archive_corrupt", path=path) from error
    index.opened = True
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
            return _first(archive, members[name], count)
        except _BROKEN_MEMBER as error:
            message = f"{path}: {name!r} cannot be read: {error}"
            raise ImageError(message, code="corrupt", path=path) from error

    sizes = {name: members[name].file_size for name in sorted(members)}
    return Tree(path, "zip", sizes, names.folders(), (), fetch, names.hidden)


def _first(archive: zipfile.ZipFile, member: zipfile.ZipInfo, count: int) -> bytes:
    """Return the first bytes of a zip's member."""
    if member.compress_type == zipfile.ZIP_BZIP2:
        return _first_of_bz2(archive, member, count)
    with archive.open(member) as content:
        if member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return content.read(count)
        # Of LZMA zipfile reads as many compressed bytes as it was asked for and unpacks all of them.
        pieces = []
        while count > 0 and (piece := content.read(min(count, _ZIP_PIECE))):
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)


def _first_of_bz2(archive: zipfile.ZipFile, member: zipfile.ZipInfo, count: int) -> bytes:
    """Return the first bytes of a bz2 member; zipfile would make gigabytes of 4,096 bytes at once."""
    packed = copy.copy(member)
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, member.compress_size
    del packed.CRC  # it is that of the unpacked bytes
    unpacker, pieces, left = bz2.BZ2Decompressor(), [], min(count, member.file_size)
    with archive.open(packed) as content:
        while left > 0 and not unpacker.eof:
            block = content.read(_ZIP_PIECE) if unpacker.needs_input else b""
            if unpacker.needs_input and not block:
                raise EOFError("it ends before the end of its stream")
            pieces.append(unpacker.decompress(block, left))
            left -= len(pieces[-1])
    found = b"".join(pieces)
    if (unpacker.eof or count >= member.file_size) and zlib.crc32(found) != member.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {member.filename!r}")
    return found


def _tar_tree(path: Path, shared: _Shared, limits: ArchiveLimits) -> Tree:
    names = _Names(path, limits)
    shared.file.seek(0)
    places: dict[str, tuple[int, int]] = {}
    headers = TarHeaders(path, shared.file, limits)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], headers), mode="r:") as archive:
            while member := archive.next():
                archive.members.clear()  # type: ignore[attr-defined]  # else it would keep all headers
                if member.size < 0:
                    raise tarfile.ReadError(f"{member.name!r} has {member.size} bytes")
                if len(archive.pax_headers) > _GLOBAL_FIELDS:
                    raise too_much(path, f"more than {_GLOBAL_FIELDS} global fields")
                if not (member.isfile() or member.isdir()) or member.issparse():
                    raise names.unsafe(member.name, "is a link, a device or sparse")
                name = names.add(member.name, member.size, folder=member.isdir())
                if name is not None:
                    places[name] = (member.offset_data, member.size)
                headers.left = limits.header_bytes
            end = archive.offset
    except DataError:
        raise
    except _BROKEN_TAR as error:
        code = "archive_corrupt" if places else "not_an_archive"
        raise DataError(f"{path} is no readable tar: {error}", code=code, path=path) from error
    # tarfile takes a damaged header for the end; the real end is a block of zeros.
    if shared.at(end, _BLOCK) != bytes(_BLOCK):
        raise DataError(f"{path} ends too early or is damaged", code="archive_corrupt", path=path)

    def fetch(name: str, count: int) -> bytes:
        place, size = places[name]
        try:
            return shared.at(place, min(count, size))
        except OSError as error:
            message = f"{path}: {name!r} cannot be read: {error.strerror}"
            raise ImageError(message, code="io_error", path=path) from error

    sizes = {name: places[name][1] for name in sorted(places)}
    return Tree(path, "tar", sizes, names.folders(), (), fetch, names.hidden)


class _Names:
    """The names of an archive's members as they come in; refuses what no honest archive has."""

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        self._path, self._limits = path, limits
        self._files: dict[str, str] = {}  # by casefolded name
        self._folders: set[str] = set()
        self.hidden = 0
        self._members = self._bytes = self._name_lengths = 0

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
            raise too_much(self._path, f"more than {self._limits.members} members")
        if self._bytes > self._limits.uncompressed_bytes:
            raise too_much(self._path, f"more than {self._limits.uncompressed_bytes} bytes")
        self._name_lengths += len(raw)
        if self._name_lengths > self._limits.index_bytes:
            raise too_much(self._path, f"names of more than {self._limits.index_bytes} letters")
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
            self.hidden += 1
            return None
        self._folders.update(parents(name))
        return name

    def _clean(self, raw: str) -> str:
        try:
            return inside(raw)
        except ValueError as error:
            raise self.unsafe(raw, str(error)) from None

    def folders(self) -> tuple[str, ...]:
        """Return all folders seen, sorted; a name that is a file and a folder is refused."""
        for name in self._folders & set(self._files.values()):
            raise self.unsafe(name, "is a file and a folder")
        return tuple(sorted(self._folders))
