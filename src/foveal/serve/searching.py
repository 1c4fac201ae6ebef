"""`POST /v1/search`: which pictures of an index are like this one, or show what a text says? Beside the lane.

One question at a time.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from foveal.bundle import inputs
from foveal.core.errors import ImageError, UsageError
from foveal.core.files import is_there
from foveal.search.searcher import Searcher
from foveal.search.texts import MOST_LETTERS, asked
from foveal.serve.bodies import BINARY, body, described, media_type, pictures
from foveal.serve.decoding import weigh
from foveal.serve.problems import TEXTS, HttpError, of_picture
from foveal.serve.schemas import problems
from foveal.serve.service import Service
from foveal.serve.strict_json import json_object

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MOST = 1000  # results of one request
_BUSY_SECONDS = 1  # after which to ask again
_EXAMPLE = """-H 'Content-Type: application/json' -d '{"text": "red circle"}'"""
_SHORTER, _PICTURE = "say it in a sentence", "ask with a picture, or another index"
_JSON, _JSON_BYTES = "application/json", 16_384  # 1,000 letters, each written as two numbers, and room


@dataclass(frozen=True)
class ServedIndex:
    """An index under its name; it is in memory, and nothing reads its file any more."""

    name: str
    searcher: Searcher


class Text(BaseModel):
    """What to find in the pictures."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=MOST_LETTERS, description="Such as `red circle`.")


class Result(BaseModel):
    """A picture that is like what was sent."""

    source: str = Field(description="What it is called in the index.")
    score: float = Field(ge=-1, le=1, description="Cosine of the features of both.")
    copies: list[str] = Field(description="Further names of the same content.")


class Heard(BaseModel):
    """What of a text was understood."""

    unknown: list[str] = Field(description="Words and signs that were never learned, and likely mislead.")
    cut: bool = Field(description="Whether its end was not seen, as it is too long.")


class Recall(BaseModel):
    """Which share of the exact ten best a search finds, as measured with pictures of the index."""

    value: float
    low: float = Field(description="Of the 95 % interval.")
    high: float
    n: int = Field(description="Pictures that were asked with.")
    method: str


class Results(BaseModel):
    """The pictures that are most like what was sent, the most alike first."""

    index: str
    digest: str = Field(description="Of the pictures and of what makes their features.")
    pictures: int = Field(description="In the index.")
    kind: Literal["picture", "text"] = Field(description="What was sent.")
    text: Heard | None = Field(description="Of a text; null for a picture.")
    exact: bool = Field(description="Whether none that is more alike was passed over.")
    recall: Recall | None = Field(description="Of a search with a picture that is not exact.")
    results: list[Result]


def served_indexes(sources: Sequence[str]) -> list[ServedIndex]:
    """Open indexes, check every picture in them, and prepare the search.

    Args:
        sources: `NAME=path`, or a path whose stem is the name.

    Raises:
        UsageError: `bad_name`, `same_name`.
        FovealError: As `Searcher.open`.
    """
    found: list[ServedIndex] = []
    for source in sources:
        name, equals, rest = source.partition("=")
        given = bool(equals) and _NAME.fullmatch(name) is not None and not is_there(Path(source))
        path = Path(rest if given else source)
        name = name if given else path.stem
        hint = f"give it a name of letters, digits, . _ and -: NAME={path}"
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be part of an address", code="bad_name", hint=hint)
        if name in [one.name for one in found]:
            raise UsageError(f"two indexes are called {name!r}", code="same_name", hint=hint)
        found.append(ServedIndex(name, Searcher.open(path, often=True)))
    return found


def searching(service: Service) -> APIRouter:
    """Return the route."""
    router = APIRouter()
    thread = ThreadPoolExecutor(1, thread_name_prefix="foveal-search")
    waiting = 0

    @router.post(
        "/v1/search",
        response_model=Results,
        responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503),
        openapi_extra=_described(),
        summary="Which pictures are like this one, or show what a text says?",
    )
    async def search(
        request: Request, index: str | None = None, top: int = Query(10, ge=1, le=MOST)
    ) -> Response:
        """Find the pictures of an index that are most like the file in the body, or in the field `image`.

        Or those that a text fits best, `{"text": "red circle"}`, where the index has a text encoder.

        The search is exact unless the index has a graph; `exact` and `recall` tell. Where the server
        has several indexes, the first one is asked unless one is named.
        """
        nonlocal waiting
        chosen = _chosen(service.indexes, index)
        service.open_for_work(request.scope["foveal.call"].client)
        content = await _content(request, service)
        if waiting >= service.settings.queue:
            raise HttpError("overloaded", "more questions wait than may", retry_after=_BUSY_SECONDS)
        waiting += 1
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(thread, _answer, chosen, content, top, service.settings.max_pixels)
        try:
            answer = await asyncio.wait_for(work, service.settings.timeout)
        except TimeoutError:
            raise HttpError("timed_out", "the time for this request is up", retry_after=1) from None
        except ImageError as error:
            raise of_picture(error) from None
        finally:
            waiting -= 1
        return Response(answer, media_type="application/json")

    return router


def _chosen(indexes: Sequence[ServedIndex], name: str | None) -> ServedIndex:
    """Return an index by name, or the first one."""
    for one in indexes:
        if name in (None, one.name):
            return one
    if not indexes:
        hint = "foveal serve --index F.index serves one"
        raise HttpError("unknown_index", "this server has no index", hint=hint)
    known = ", ".join(one.name for one in indexes)
    raise HttpError("unknown_index", "there is no such index here", hint=f"known here: {known}")


def _described() -> dict[str, Any]:
    found = described(BINARY)
    found["requestBody"]["content"][_JSON] = {"schema": Text.model_json_schema()}
    return found


async def _content(request: Request, service: Service) -> bytes | str:
    """Return the picture file, or the text, of a request."""
    if media_type(request) != _JSON:
        [content] = await pictures(request, service, most=1)
        return content
    sent = await body(request, service)
    if len(sent) > _JSON_BYTES:
        raise HttpError("text_too_long", f"a text may have {MOST_LETTERS} letters", hint=_SHORTER)
    document = json_object(sent)
    text = document.get("text")
    if not isinstance(text, str) or len(document) > 1:
        raise HttpError("bad_json", "the body is an object with a text and nothing else", hint=_EXAMPLE)
    return text


def _answer(chosen: ServedIndex, content: bytes | str, top: int, most_pixels: int) -> bytes:
    """Return the document for a picture file, or a text; in the thread."""
    searcher, heard = chosen.searcher, None
    if isinstance(content, str):
        try:
            heard = asked(searcher.embedder, content)
        except UsageError as error:
            code = error.code if error.code in TEXTS else "bad_text"
            hint = _PICTURE if code == "no_text" else error.hint
            raise HttpError(code, error.message, hint=hint) from error
        found = searcher.near_text(heard.vector, top=top)
    else:
        weigh([content], most_pixels)
        image = inputs.pixels(content, searcher.embedder.preprocess)
        try:
            found = searcher.near(image, top=top)
        except UsageError as error:  # it has no features: all are 0
            raise ImageError(error.message, code="bad_image", hint=error.hint) from error
    document = {
        "index": chosen.name,
        "digest": searcher.gallery.digest,
        "pictures": len(searcher.gallery),
        "kind": "picture" if heard is None else "text",
        "text": None if heard is None else heard.as_json(),
        **searcher.told(by_picture=heard is None),
        "results": [match.as_json() for match in found],
    }
    return json.dumps(document, allow_nan=False).encode()
