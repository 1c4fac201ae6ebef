"""`foveal search query`: the pictures of an index that are most like one, or that a text fits best."""

import hashlib
import time
from pathlib import Path
from typing import Any

from foveal.bundle import inputs
from foveal.bundle.embedder import Embedder
from foveal.bundle.session import UInt8
from foveal.core.errors import ImageError, NotFoundError, UsageError
from foveal.core.files import is_there
from foveal.core.text import printable
from foveal.data.suffixes import is_picture
from foveal.search.searcher import Match, Searcher
from foveal.search.texts import Asked, asked

SCHEMA = "foveal.search.query/1"


def query(
    path: Path,
    content: bytes | str,
    *,
    called: str = "-",
    top: int = 10,
    others: bool = False,
    approximate: bool = False,
) -> tuple[dict[str, Any], list[Match]]:
    """Return the command's document, and what it is made of.

    Args:
        path: The index.
        content: Of the picture file that is asked with, or a text; see `asked_with`.
        called: What it is called in the document; a text is told as it is.
        top: How many are wanted.
        others: Whether the same content is left out where it is in the index.
        approximate: Whether to search through the graph of the index; reading it takes longer than an exact
            search of one picture, so this is to see what a server answers.

    Raises:
        NotFoundError: There is no such index, or `no_graph`.
        MissingExtraError: A graph needs the extra `search`.
        DataError: The index, or the picture, cannot be used.
        UsageError: `no_text`, `bad_text`, `text_too_long`, `no_known_word`: see `search.texts.asked`; or
            `others` with a text, which is the same as no picture.
    """
    if others and isinstance(content, str):
        raise UsageError("--others leaves out the picture that is asked with; a text is none")
    searcher = Searcher.open(path, often=False, approximate=approximate)
    start = time.perf_counter()
    text: Asked | None = None
    if isinstance(content, str):
        text = asked(searcher.embedder, content)
        found = searcher.near_text(text.vector, top=top)
    else:
        image = pixels_of(searcher.embedder, content, called)
        without = (hashlib.sha256(content).hexdigest(),) if others else ()
        found = searcher.near(image, top=top, without=without)
    document = {
        "schema": SCHEMA,
        "ok": True,
        "index": str(path),
        "digest": searcher.gallery.digest,
        "pictures": len(searcher.gallery),
        "kind": "picture" if text is None else "text",
        "query": content if isinstance(content, str) else printable(called),
        "text": None if text is None else text.as_json(),
        "warnings": [] if text is None else text.warnings(),
        **searcher.told(by_picture=text is None),
        "results": [match.as_json() for match in found],
        "ms": round((time.perf_counter() - start) * 1000, 3),
    }
    return document, found


def pixels_of(embedder: Embedder, content: bytes, called: str) -> UInt8:
    """Return a picture as the embedder takes it, uint8 (H, W, C).

    Args:
        embedder: Says what it takes.
        content: Of the file.
        called: What an error names.

    Raises:
        ImageError: It cannot be read as a picture.
    """
    try:
        return embedder.preprocess.from_bytes(content)
    except ImageError as error:
        raise ImageError(f"{called}: {error.message}", code=error.code, path=called) from error


def asked_with(named: str) -> bytes | str:
    """Return the bytes of a picture file that is asked with, or the text.

    A file of that name is a picture, and so is what is called as one, or has a slash.

    Raises:
        NotFoundError: It is called as a picture, and there is none.
        ImageError: It is a folder, or cannot be read.
    """
    if named.strip() == "":
        raise NotFoundError("no picture is named", hint="name a picture file, - for one on stdin, or a text")
    path = Path(named)
    if is_there(path):
        if path.is_dir():
            hint = "--text takes it as words"
            raise ImageError(f"{named} is a folder, not a picture", code="not_image", hint=hint, path=named)
        return inputs.content(path)
    if is_picture(named) or "/" in named:
        hint = "name a picture file; --text takes it as words"
        raise NotFoundError(f"there is no {named}", hint=hint, path=named)
    return named


def content_of(named: str) -> bytes:
    """Return the bytes of a picture file.

    Raises:
        NotFoundError: It is called as a picture, and there is none.
        UsageError: `no_text`: it reads like words.
    """
    found = asked_with(named)
    if isinstance(found, str):
        raise UsageError(f"there is no picture {named!r}", code="no_text", hint="name a picture file")
    return found
