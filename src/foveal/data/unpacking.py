"""Compressed files, unpacked once into an unnamed temporary, within limits."""

import bz2
import gzip
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from foveal.core.errors import DataError, WriteError
from foveal.data.archive_limits import ArchiveLimits, too_much

_PIECE = 2**20
_BROKEN = (EOFError, OSError, lzma.LZMAError, zlib.error)
Unpack = Callable[[IO[bytes], ArchiveLimits], Iterator[bytes]]


def unpacking(magic: bytes) -> Unpack | None:
    """Return what unpacks a file that starts so, piece by piece; None where it is not compressed.

    Args:
        magic: The first six bytes.
    """
    if magic.startswith(b"\xfd7zXZ\0"):
        return _xz
    if magic.startswith(b"\x1f\x8b"):
        return _gzip
    return _bz2 if magic.startswith(b"BZh") else None


def unpacked(path: Path, stored: IO[bytes], unpack: Unpack, limits: ArchiveLimits) -> IO[bytes]:
    """Return the plain content: in memory, or in a temporary file without a name where it is long.

    Raises:
        DataError: `archive_corrupt` or `archive_limit`.
        WriteError: No room for the temporary.
    """
    plain = tempfile.SpooledTemporaryFile(max_size=limits.memory_bytes)  # noqa: SIM115 (the caller closes it)
    try:
        _fill(plain, path, _pieces(path, stored, unpack, limits), limits)
    except BaseException:
        plain.close()
        raise
    return plain


def _fill(plain: IO[bytes], path: Path, pieces: Iterator[bytes], limits: ArchiveLimits) -> None:
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > limits.uncompressed_bytes:
            raise too_much(path, f"more than {limits.uncompressed_bytes} bytes")
        try:
            plain.write(piece)
        except OSError as error:
            raise WriteError(
                f"no room to decompress {path}: {error.strerror}",
                hint="set TMPDIR to a folder on a larger disk",
                path=path,
            ) from error


def _pieces(path: Path, stored: IO[bytes], unpack: Unpack, limits: ArchiveLimits) -> Iterator[bytes]:
    try:
        yield from unpack(stored, limits)
    except _BROKEN as error:
        if isinstance(error, lzma.LZMAError) and "memory" in str(error).lower():  # it has no error of its own
            what = f"data that take more than {limits.decompressor_bytes} bytes of memory to decompress"
            raise too_much(path, what) from error
        message = f"{path} cannot be decompressed: {error}"
        raise DataError(message, code="archive_corrupt", path=path) from error


def _gzip(stored: IO[bytes], _: ArchiveLimits) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=stored) as file:
        while piece := file.read(_PIECE):
            yield piece


def _bz2(stored: IO[bytes], _: ArchiveLimits) -> Iterator[bytes]:
    with bz2.BZ2File(stored) as file:
        while piece := file.read(_PIECE):
            yield piece


def _xz(stored: IO[bytes], limits: ArchiveLimits) -> Iterator[bytes]:
    """Yield the content of one stream after the other; `lzma.LZMAFile` would take any memory asked for."""
    packed = stored.read(_PIECE)
    while packed:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=limits.decompressor_bytes)
        while not stream.eof:
            if not packed and stream.needs_input and not (packed := stored.read(_PIECE)):
                raise EOFError("it ends before the end of its stream")
            yield stream.decompress(packed, _PIECE)
            packed = b""
        packed = _behind(stream.unused_data, stored)


def _behind(rest: bytes, stored: IO[bytes]) -> bytes:
    """Return the start of the next stream, without the zeros that may lie between two; b"" at the end."""
    while not (start := rest.lstrip(b"\0")):
        if not (rest := stored.read(_PIECE)):
            break
    return start
