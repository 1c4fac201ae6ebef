"""One picture of a job, as it was listed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.core.text import printable


@dataclass(frozen=True, slots=True)
class Item:
    """A picture, before anything of it was read.

    Attributes:
        source: What it is called in the results: its path, or archive and member, as text.
        path: The file to open, as the system knows it.
        member: Its name in the archive that `path` is; None: it is the whole file.
        size: Its length in bytes; None: it could not be looked at.
        mtime_ns: When the file, or the archive, was changed last, nanoseconds; None as `size`.
        occurrence: How many items of the job with the same source come before it.
        template: The file of the picture that it is compared with, as the system knows it; None: of none.
        same: Whether its content is that of the item before it, as far as is known from the listing.
    """

    source: str
    path: str
    member: str | None = None
    size: int | None = None
    mtime_ns: int | None = None
    occurrence: int = 0
    template: str | None = None
    same: bool = False

    def line(self) -> bytes:
        """Return its line in a manifest; what says nothing is left out."""
        told: dict[str, Any] = {"source": self.source, "occurrence": self.occurrence}
        if self.path != self.source:
            told["path"] = self.path
        known = {
            "member": self.member,
            "bytes": self.size,
            "mtime_ns": self.mtime_ns,
            "template": self.template,
        }
        told |= {name: value for name, value in known.items() if value is not None}
        if self.same:
            told["same"] = True
        # ASCII: names that are no UTF-8 survive as escapes, and a line never has another end in it.
        return json.dumps(told).encode() + b"\n"


def file_item(path: str) -> Item:
    """Return a file as an item, whether it is there or not."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return Item(printable(path), path)
    return Item(printable(path), path, size=status.st_size, mtime_ns=status.st_mtime_ns)


def parsed(line: bytes) -> Item:
    """Return the item of a line."""
    told = json.loads(line)
    return Item(
        source=told["source"],
        path=told.get("path", told["source"]),
        member=told.get("member"),
        size=told.get("bytes"),
        mtime_ns=told.get("mtime_ns"),
        occurrence=told["occurrence"],
        template=told.get("template"),
        same=told.get("same", False),
    )
