"""Reading what a client sends, within the limits."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from foveal.serve.gate import too_large
from foveal.serve.problems import GONE, HttpError
from foveal.serve.service import Service


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
        raise HttpError("slow_body", f"the body took longer than {settings.body_timeout:g} s") from None
    except ClientDisconnect:
        raise HttpError(GONE, "the client has left") from None
    return b"".join(parts)
