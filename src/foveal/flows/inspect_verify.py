"""`foveal inspect verify`: is the log of a line what was written?"""

from pathlib import Path
from typing import Any

from foveal.core.errors import NotFoundError, UsageError
from foveal.station.verifying import verify

SCHEMA = "foveal.inspect.verify/1"
_DIGITS = 64


def inspect_verify(folder: Path, *, head: str | None = None) -> dict[str, Any]:
    """Return the command's document; `ok` is false where something was changed, or the head is not there.

    Args:
        folder: The log.
        head: Hash of a record that must be in it, or None.

    Raises:
        NotFoundError: There is no log.
        UsageError: The head is no hash.
    """
    if head is not None and (len(head) != _DIGITS or not set(head) <= set("0123456789abcdef")):
        raise UsageError(f"{head!r} is no hash of a record", hint="64 digits, 0 to 9 and a to f")
    found = verify(folder, head=head)
    if not found.records and found.broken is None and not found.torn_bytes and head is None:
        raise NotFoundError(f"there is no log in {folder}", path=folder)
    whole = found.broken is None and (head is None or found.head_at is not None)
    return {"schema": SCHEMA, "ok": whole, "log": str(folder), **found.as_json()}
