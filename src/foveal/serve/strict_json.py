"""JSON of a request, read so that it means one thing only."""

import json
from typing import Any, NoReturn

from foveal.serve.problems import HttpError


def json_object(text: bytes) -> dict[str, Any]:
    """Return the object that is a whole body.

    Raises:
        HttpError: `bad_json`: it is none, has a key twice, a number that is none, or half of a letter.
    """
    try:
        decoded = text.decode("utf-8")
        document = json.loads(decoded, object_pairs_hook=_once, parse_constant=_no_constant)
        # Half of a letter, \ud800, is no text; it would break who writes it further on.
        if "\\u" in decoded:
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise HttpError(
            "bad_json", "the body is no JSON object in UTF-8, each key once, NaN nowhere"
        ) from None
    if not isinstance(document, dict):
        raise HttpError("bad_json", "the body is no JSON object")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
