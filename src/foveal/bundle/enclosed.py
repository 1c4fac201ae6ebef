"""A document about a bundle that lies inside it: its hash is compared at once, it is read when asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from foveal.bundle.container import tampered
from foveal.core.errors import BundleError, WriteError

MOST_BYTES = 8 << 20  # a certificate has some 100 kB, an evaluation of 1,000 classes 2 to 6 MB


@dataclass(frozen=True)
class Enclosed:
    """A JSON object in a bundle that is no part of its digest: whoever has the file can put another one in.

    So opening a bundle does not read it: small bytes can become large objects.

    Attributes:
        name: Of the member.
        content: Its bytes.
        digest: Of the bundle that it has to be about.
        path: Of the bundle.
    """

    name: str
    content: bytes = field(repr=False)
    digest: str
    path: Path

    @cached_property
    def document(self) -> dict[str, Any]:
        """What it says.

        Raises:
            BundleError: `too_many_bytes`: above 8 MiB; `tampered`: no JSON object, or about another bundle.
        """
        if len(self.content) > MOST_BYTES:
            raise BundleError(
                f"{self.name} in the bundle has {len(self.content):,} bytes; at most {MOST_BYTES:,} are read",
                code="too_many_bytes",
                hint="the bundle answers all the same; attach a smaller one in its place",
                path=self.path,
            )
        try:
            document = json.loads(self.content)
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict) and document.get("digest") == self.digest:
            return document
        about = "is about another bundle" if isinstance(document, dict) else "is no JSON object"
        error = tampered(f"{self.name} {about}")
        error.path = str(self.path)
        raise error


def to_bytes(document: Mapping[str, Any], *, name: str, path: Path) -> bytes:
    """Return a document as it is put into a bundle: a line for each value, or on one where that is too long.

    Args:
        document: Values that JSON knows.
        name: Of the member.
        path: Of the bundle.

    Raises:
        WriteError: `too_many_bytes`: nobody would read it.
    """
    content = _json(document, indent=1)
    if len(content) > MOST_BYTES:
        content = _json(document, separators=(",", ":"))
    if len(content) > MOST_BYTES:
        raise WriteError(
            f"{name} would have {len(content):,} bytes; a bundle holds at most {MOST_BYTES:,} of it",
            code="too_many_bytes",
            hint="it stays beside the bundle",
            path=path,
        )
    return content


def _json(document: Mapping[str, Any], **layout: Any) -> bytes:
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, **layout) + "\n").encode()
