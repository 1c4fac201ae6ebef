"""The zip that a bundle is: stored, without dates, and exactly one way to write given members.

Because there is only one way, reading compares every byte that is no content with what writing would
have put there. Hidden, overlapping, doubled, compressed, prepended or appended data have no place left.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence

from foveal.core.errors import BundleError

_LOCAL, _ENTRY, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_COMMENT = b"foveal.bundle"  # the file's last bytes: what makes a damaged head still a damaged bundle
_VERSION, _UNIX_FILE = 10, (3 << 8) | 10
_DATE = (1 << 5) | 1  # 1 January 1980, the first day a zip knows
_MODE = 0o100644 << 16
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")


def pack(members: Mapping[str, bytes | memoryview]) -> bytes:
    """Return the zip that holds `members` in their order; equal members give equal bytes anywhere."""
    local, entries = _headers(members.items())
    pieces = [piece for header, data in zip(local, members.values(), strict=True) for piece in (header, data)]
    return b"".join([*pieces, entries])


def unpack(content: bytes, *, known: Sequence[str]) -> dict[str, memoryview]:
    """Return the members of a zip that `pack` wrote, as views into `content`.

    Args:
        content: The whole file.
        known: The names a member may have, in the order in which they must come.

    Raises:
        BundleError: Code `tampered`; one byte differs from what `pack` writes for these members.
    """
    members: dict[str, memoryview] = {}
    headers: list[memoryview] = []
    view, offset = memoryview(content), 0
    while content.startswith(_LOCAL, offset):
        name, start, end = _locate(content, offset, known)
        if name in members:
            raise tampered(f"{name} is there twice")
        members[name] = view[start:end]
        headers.append(view[offset:start])
        offset = end
    if list(members) != [name for name in known if name in members]:
        raise tampered("its members are in another order")
    local, entries = _headers(members.items())
    for name, expected, found in zip(members, local, headers, strict=True):
        if expected != found:
            raise tampered(f"{name} does not match its checksum or its header")
    if entries != view[offset:]:
        raise tampered("its table of contents differs from its members, or something was added")
    return members


def is_ours(content: bytes, first: str) -> bool:
    """Return whether a file is, or was before somebody damaged it, a zip that `pack` wrote.

    Args:
        content: The whole file.
        first: Name of the first member.
    """
    name = first.encode()
    head = _LOCAL_HEADER.pack(_LOCAL, _VERSION, 0, 0, 0, _DATE, 0, 0, 0, len(name), 0)
    starts = content[:14] == head[:14] and content[26 : 30 + len(name)] == head[26:] + name
    return starts or content.endswith(_COMMENT)


def _locate(content: bytes, offset: int, known: Sequence[str]) -> tuple[str, int, int]:
    """Return name, start and end of the member whose header is at `offset`."""
    header = content[offset : offset + _LOCAL_HEADER.size]
    if len(header) < _LOCAL_HEADER.size:
        raise tampered("it is cut short")
    _, _, _, method, _, _, _, stored, size, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    start = offset + _LOCAL_HEADER.size + name_length + extra_length
    name_at = offset + _LOCAL_HEADER.size
    name = bytes(content[name_at : name_at + name_length]).decode("ascii", "backslashreplace")
    if name not in known:
        raise tampered(f"it has a member that no bundle has: {name!r}")
    if method != 0 or stored != size:
        raise tampered(f"{name} is compressed; members of a bundle are stored as they are")
    if start + size > len(content):
        raise tampered(f"it is cut short inside {name}")
    return name, start, start + size


def _headers(members: Iterable[tuple[str, bytes | memoryview]]) -> tuple[list[bytes], bytes]:
    """Return the header before each member, and the table of contents after all of them."""
    local: list[bytes] = []
    table: list[bytes] = []
    offset = 0
    for name, data in members:
        raw = name.encode("ascii")
        facts = (_VERSION, 0, 0, 0, _DATE, zlib.crc32(data), len(data), len(data), len(raw), 0)
        local.append(_LOCAL_HEADER.pack(_LOCAL, *facts) + raw)
        table.append(struct.pack("<4s6H3I5H2I", _ENTRY, _UNIX_FILE, *facts, 0, 0, 0, _MODE, offset) + raw)
        offset += len(local[-1]) + len(data)
    entries = b"".join(table)
    counts = (0, 0, len(table), len(table), len(entries), offset, len(_COMMENT))
    return local, entries + struct.pack("<4s4H2IH", _END, *counts) + _COMMENT


def tampered(what: str) -> BundleError:
    """Return the error for a bundle that is not byte for byte what was sealed."""
    return BundleError(
        f"the bundle is damaged or was changed: {what}",
        code="tampered",
        hint="copy or make the bundle again; do not edit it",
    )
