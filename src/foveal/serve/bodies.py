"""Reading what a client sends, within the limits."""

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect, Request

from foveal.serve.gate import too_large
from foveal.serve.multipart import FIELD, pictures_of
from foveal.serve.problems import GONE, HttpError
from foveal.serve.service import Service

BINARY = {"type": "string", "format": "binary"}
_FORM = "multipart/form-data"
_KINDS = ("application/octet-stream", "image/jpeg", "image/png")  # that are described; any image/* is taken


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the `openapi_extra` of an endpoint that takes what `pictures` reads.

    Args:
        schema: Of a form's field `image`.
    """
    form = {"type": "object", "properties": {FIELD: schema}, "required": [FIELD]}
    content = {**{kind: {"schema": BINARY} for kind in _KINDS}, _FORM: {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


async def pictures(request: Request, service: Service, *, most: int) -> list[bytes]:
    """Return the picture files of a request: its body, or each field `image` of a form.

    Args:
        request: Whose type is looked at before its body is read.
        service: Of this worker.
        most: Pictures that there may be.

    Raises:
        HttpError: `type_not_allowed`, `bad_multipart`, `too_many_pictures`; or as `body`.
    """
    kind = media_type(request)
    if not (kind.startswith(("image/", "video/")) or kind in ("", "application/octet-stream", _FORM)):
        raise HttpError(
            "type_not_allowed",
            "send a picture file as image/*, a film as video/*, either as application/octet-stream, or a "
            "multipart form",
            hint=f"-H 'Content-Type: image/jpeg' --data-binary @a.jpg, or -F {FIELD}=@a.jpg",
        )
    content = await body(request, service)
    return pictures_of(content, request.headers["content-type"], most=most) if kind == _FORM else [content]


def media_type(request: Request) -> str:
    """Return what a body is said to be, in small letters and without parameters; empty: nothing is said."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def body(request: Request, service: Service) -> bytes:
    """Return a request's whole body; what is too much is noticed before it is kept.

    It counts as long as its request is not answered: what it says of its length at once, else as it comes.

    Raises:
        HttpError: `body_too_large`, `slow_body`, `overloaded`, or the client has left.
    """
    settings, call = service.settings, request.scope["foveal.call"]
    service.hold(call, int(request.headers.get("content-length", 0)))
    parts: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(settings.body_timeout):
            async for part in request.stream():
                length += len(part)
                if length > settings.max_body_bytes:
                    raise too_large(settings.max_body_bytes)
                service.hold(call, length)
                if part:
                    parts.append(part)
    except TimeoutError:
        hint = "send smaller pictures; the server's --body-timeout sets the limit"
        raise HttpError(
            "slow_body", f"the body took longer than {settings.body_timeout:g} s", hint=hint
        ) from None
    except ClientDisconnect:
        raise HttpError(GONE, "the client has left") from None
    return b"".join(parts)
