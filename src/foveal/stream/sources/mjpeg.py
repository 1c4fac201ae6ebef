"""A network camera that sends one JPEG after the other over plain HTTP: http://host/path."""

import base64
import http.client
import time
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from foveal.core.errors import DataError, NotFoundError, TemporaryError
from foveal.data.decode import LIMITS
from foveal.stream.address import address, credentials, shown
from foveal.stream.shot import Order, Running, Shot

EXTRA = None
LIVE = True
LASTING = True

_TYPE = "multipart/x-mixed-replace"
_MOST_LINE = 8192  # bytes of a line between pictures
_MOST_LINES = 100  # of them between two pictures


def is_meant(place: str) -> bool:
    """Return whether a text is such an address."""
    return place.lower().startswith("http://")


def mjpeg(order: Order, running: Running) -> Iterator[Shot]:
    """Yield pictures as they come, each the bytes of a JPEG; captured is when its first byte came.

    Only the address that is named is asked; a server that sends elsewhere is not followed.

    Raises:
        UsageError: It is no address.
        NotFoundError: The server has nothing there, or does not let us.
        DataError: `not_a_video`: it sends something else.
        TemporaryError: `no_connection`: nobody answers, or no longer.
    """
    parts, name = address(order.place), shown(order.place)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=order.timeout_s)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Accept": _TYPE}
    if (known := credentials(parts)) is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(known).encode()).decode()
    try:
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        _check(response, name)
        # Byte by byte a picture could take for ever within the patience of the socket: it is whole in time.
        for captured, content in _parts(response, name, running, patience_s=order.timeout_s):
            yield Shot(captured, captured, partial(bytes, content))
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TemporaryError(f"no pictures from {name}: {why}", code="no_connection") from None
    finally:
        connection.close()


def _check(response: http.client.HTTPResponse, name: str) -> None:
    if response.status in (401, 403, 404, 410):
        raise NotFoundError(f"{name} answers {response.status} {response.reason}", path=name)
    if response.status != 200:
        raise TemporaryError(f"{name} answers {response.status} {response.reason}", code="no_connection")
    kind = response.headers.get_content_type()
    if kind != _TYPE:
        raise DataError(
            f"{name} sends {kind}; needed: {_TYPE}",
            code="not_a_video",
            hint="the page of a camera is not its stream: look for an address such as /video or /mjpg",
            path=name,
        )


def _parts(
    response: BinaryIO, name: str, running: Running, *, patience_s: float
) -> Iterator[tuple[float, bytes]]:
    """Yield each part with when it began."""
    while not running.stop.is_set():
        length, begun = None, False
        for _ in range(_MOST_LINES):
            line = response.readline(_MOST_LINE)
            if not line:
                return
            text = line.strip()
            if text.startswith(b"--"):
                captured, begun = time.monotonic(), True
            elif not text and begun:
                break
            elif text.lower().startswith(b"content-length:"):
                length = _number(text.partition(b":")[2], name)
        else:
            raise DataError(f"{name} sends no picture", code="not_a_video", path=name)
        if length is None:
            raise DataError(
                f"{name} does not say how long its pictures are (Content-Length)",
                code="not_a_video",
                path=name,
            )
        content = _whole(response, length, until=captured + patience_s)
        if len(content) < length:
            return
        yield captured, content


def _number(text: bytes, name: str) -> int:
    number = int(text) if text.strip().isdigit() else -1
    if not 0 < number <= LIMITS.content_bytes:
        raise DataError(f"{name} sends a picture of {text.strip()!r} bytes", code="too_many_bytes", path=name)
    return number


def _whole(response: BinaryIO, length: int, *, until: float) -> bytes:
    """Return so many bytes, or fewer where they end or are not there in time."""
    blocks, left = [], length
    while left and time.monotonic() < until:
        block = response.read1(min(left, 1 << 16))  # type: ignore[attr-defined]
        if not block:
            break
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks)
