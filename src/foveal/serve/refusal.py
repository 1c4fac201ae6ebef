"""What a server refuses with, as one of our errors: who asks from Python handles both sides alike."""

import json
from http import HTTPStatus
from typing import Any

from foveal.core.errors import FovealError, ImageError, NotFoundError, TemporaryError, UsageError
from foveal.serve.connection import Answer
from foveal.serve.problems import PICTURES

_KINDS: dict[int, type[FovealError]] = {
    404: NotFoundError,
    408: TemporaryError,
    429: TemporaryError,
    503: TemporaryError,
}


def error_of(answer: Answer) -> FovealError:
    """Return the error for an answer whose status is no success.

    Its `code`, text and `hint` are those of the answer's problem document (RFC 9457). `ImageError` where one
    picture is refused, `NotFoundError` for 404, `TemporaryError` for 408, 429 and 503, `UsageError` for any
    other 4xx, and plain `FovealError` for what is the server's own fault.
    """
    said = _document(answer.body)
    code = said.get("code")
    if not isinstance(code, str):  # something in front of the server speaks
        code = f"http_{answer.status}"
    detail, hint = said.get("detail"), said.get("hint")
    message = detail if isinstance(detail, str) else f"the server answered {_phrase(answer.status)}"
    kind = ImageError if code in PICTURES else _KINDS.get(answer.status, _usual(answer.status))
    return kind(message, code=code, hint=hint if isinstance(hint, str) else None)


def _usual(status: int) -> type[FovealError]:
    return UsageError if 400 <= status < 500 else FovealError


def _document(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
