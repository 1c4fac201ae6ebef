"""What an archive may hold at most, and how its headers are read without believing what they announce."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from foveal.core.errors import DataError

_ZIP_ENTRY = b"PK\x01\x02"


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold at most.

    Attributes:
        members: Number of entries.
        uncompressed_bytes: Sum of their lengths, counted while decompressing.
        memory_bytes: A compressed tar larger than this is decompressed to disk.
        index_bytes: Length of a zip's table of contents; of a tar, which has none, sum of all names.
        header_bytes: Length of all that a tar says about one member: long names, pax fields.
        decompressor_bytes: What xz may take to decompress; `xz -9` makes files that take 65 MiB.
    """

    members: int = 1_000_000
    uncompressed_bytes: int = 32 * 10**9
    memory_bytes: int = 256 * 2**20
    index_bytes: int = 256 * 2**20
    header_bytes: int = 2**20
    decompressor_bytes: int = 256 * 2**20


ARCHIVE_LIMITS = ArchiveLimits()


def too_much(path: Path, what: str) -> DataError:
    """Return the error for an archive that holds more than it may."""
    return DataError(
        f"{path} holds {what}", code="archive_limit", hint="unpack it yourself if you trust it", path=path
    )


class TarHeaders:
    """A tar as `tarfile` sees it, which reads headers whole, however long they say they are.

    Attributes:
        left: Bytes that may be read until the next member; whoever goes through the members sets it.
    """

    def __init__(self, path: Path, file: IO[bytes], limits: ArchiveLimits) -> None:
        self._path, self._file, self._limits = path, file, limits
        self.left = limits.header_bytes

    def read(self, count: int, /) -> bytes:
        """Return the next bytes.

        Raises:
            DataError: `archive_limit`: more than a member's headers may have.
        """
        if not 0 <= count <= self.left:
            raise too_much(self._path, f"a member with more than {self._limits.header_bytes} bytes of header")
        self.left -= count
        return self._file.read(count)

    def seek(self, place: int, /) -> int:
        """Go to a place, in bytes from the start."""
        return self._file.seek(place)

    def tell(self) -> int:
        """Return the place, in bytes from the start."""
        return self._file.tell()


class ZipIndex:
    """A zip as `zipfile` sees it, which reads the whole table of contents before anybody can count it.

    Attributes:
        opened: Set when the table has been read; from then on reads are those of members.
    """

    def __init__(self, path: Path, file: IO[bytes], limits: ArchiveLimits) -> None:
        self._path, self._file, self._limits = path, file, limits
        self.opened = False

    def read(self, count: int = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            DataError: `archive_limit`: a table of contents that is too long, or has too many entries.
        """
        if self.opened:
            return self._file.read(count)
        most = self._limits.index_bytes
        # The length that the zip announces may be anything: memory is only taken for what is there.
        there = min(self._remaining(), most + 1)
        content = self._file.read(there if count < 0 else min(count, there))
        if len(content) > most:
            raise too_much(self._path, f"a table of contents of more than {most} bytes")
        # The number that the zip announces is not believed either.
        if content.count(_ZIP_ENTRY) > self._limits.members:
            raise too_much(self._path, f"more than {self._limits.members} members")
        return content

    def _remaining(self) -> int:
        here = self._file.tell()
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(here)
        return max(end - here, 0)

    def seek(self, place: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place, as files do."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Return the place, in bytes from the start."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return True."""
        return True
