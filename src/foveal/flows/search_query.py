"""`foveal search query`: the pictures of an index that are most like one."""

import hashlib
import time
from pathlib import Path
from typing import Any

from foveal.bundle import inputs
from foveal.core.errors import ImageError, NotFoundError, UsageError
from foveal.core.files import is_there
from foveal.core.text import printable
from foveal.data.suffixes import is_picture
from foveal.search.searcher import Match, Searcher

SCHEMA = "foveal.search.query/1"


def query(
    path: Path, content: bytes, *, called: str = "-", top: int = 10, others: bool = False
) -> tuple[dict[str, Any], list[Match]]:
    """Return the command's document, and what it is made of.

    Args:
        path: The index.
        content: Of the picture file that is asked with; see `content_of`.
        called: What it is called in the document.
        top: How many are wanted.
        others: Whether the same content is left out where it is in the index.

    Raises:
        NotFoundError: There is no such index.
        DataError: The index, or the picture, cannot be used.
    """
    searcher = Searcher.open(path, often=False)
    start = time.perf_counter()
    image = searcher.embedder.preprocess.from_bytes(content)
    without = (hashlib.sha256(content).hexdigest(),) if others else ()
    found = searcher.near(image, top=top, without=without)
    document = {
        "schema": SCHEMA,
        "ok": True,
        "index": str(path),
        "digest": searcher.gallery.digest,
        "pictures": len(searcher.gallery),
        "query": printable(called),
        "results": [match.as_json() for match in found],
        "ms": round((time.perf_counter() - start) * 1000, 3),
    }
    return document, found


def content_of(asked: str) -> bytes:
    """Return the bytes of a picture file that is asked with.

    Raises:
        NotFoundError: It is called as a picture, and there is none.
        UsageError: `no_text`: it reads like words.
    """
    path = Path(asked)
    if is_there(path) or is_picture(asked) or "/" in asked:
        if path.is_dir():
            raise ImageError(f"{asked} is a folder, not a picture", code="not_image", path=asked)
        return inputs.content(path)
    if asked.strip() == "":
        raise NotFoundError("no picture is named", hint="name a picture file, or - for one on stdin")
    raise UsageError(
        f"there is no picture {asked!r}, and this index cannot be asked with words",
        code="no_text",
        hint="name a picture file: words need an index of a network that was trained on pictures with texts",
    )
