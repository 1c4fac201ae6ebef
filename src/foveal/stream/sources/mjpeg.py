"""A network camera that sends one JPEG after the other over plain HTTP: http://host/path."""

import http.client
import time
from collections.abc import Generator, Iterator
from functools import partial

from foveal.core.errors import DataError, NotFoundError, TemporaryError
from foveal.data.decode import LIMITS
from foveal.stream.address import address, shown
from foveal.stream.options import SourceOptions
from foveal.stream.request import LATER, answer
from foveal.stream.shot import Running, Shot

EXTRA = None
LIVE = True
LASTING = True

_TYPE = "multipart/x-mixed-replace"
_MOST_HEAD = 8192  # bytes between two pictures
_MOST_DIGITS = 20  # of a length: Python reads no number of thousands of them
_BLOCK = 1 << 16


def is_meant(place: str) -> bool:
    """Return whether a text is such an address."""
    return place.lower().startswith("http://")


def mjpeg(options: SourceOptions, running: Running) -> Generator[Shot]:
    """Yield pictures as they come, each the bytes of a JPEG; captured is when its first byte came.

    Only the address that is named is asked; a server that sends elsewhere is not followed.

    Raises:
        UsageError: It is no address.
        NotFoundError: The server has nothing there, or does not let us.
        DataError: `not_a_video`: it sends something else.
        TemporaryError: `no_connection`: nobody answers, or no longer.
    """
    parts, name = address(options.place), shown(options.place)
    with answer(parts, name, timeout_s=options.timeout_s, headers={"Accept": _TYPE}) as response:
        _check(response, name)
        # Byte by byte a picture could take for ever and the socket stay patient: each is whole in time.
        for captured, content in _parts(response, running, patience_s=options.timeout_s):
            yield Shot(captured, captured, partial(bytes, content))


def _check(response: http.client.HTTPResponse, name: str) -> None:
    told = f"{name} answers {response.status} {response.reason[:80]}"
    if response.status >= 500 or response.status in LATER:
        raise TemporaryError(told, code="no_connection")
    if response.status != 200:
        raise NotFoundError(told, hint="only the very address that is named is asked", path=name)
    kind = response.headers.get_content_type()
    if kind != _TYPE:
        raise DataError(
            f"{name} sends {kind}; needed: {_TYPE}",
            code="not_a_video",
            hint="the page of a camera is not its stream: look for an address such as /video or /mjpg",
            path=name,
        )


class _Body:
    """The body of an answer, read as it comes."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response, self._ahead = response, bytearray()

    def until(self, mark: bytes, most: int, *, by: float) -> bytes | None:
        """Return what comes before a mark, and skip the mark; None where the body, or the time, ends before.

        Raises:
            DataError: `too_many_bytes`: there is no mark within so many bytes.
        """
        looked = 0
        while (found := self._ahead.find(mark, max(0, looked - len(mark)))) < 0:
            looked = len(self._ahead)
            if looked > most:
                raise DataError(f"no picture ends within {most} bytes", code="too_many_bytes")
            if not self._more(by):
                return None
        content = bytes(self._ahead[:found])
        del self._ahead[: found + len(mark)]
        return content

    def exactly(self, count: int, *, by: float) -> bytes | None:
        """Return so many bytes; None where the body, or the time, ends before."""
        while len(self._ahead) < count:
            if not self._more(by):
                return None
        content = bytes(self._ahead[:count])
        del self._ahead[:count]
        return content

    def _more(self, by: float) -> bool:
        block = self._response.read1(_BLOCK) if time.monotonic() < by else b""
        self._ahead += block
        return bool(block)


def _parts(
    response: http.client.HTTPResponse, running: Running, *, patience_s: float
) -> Iterator[tuple[float, bytes]]:
    """Yield each part with when it began, until the body ends or nothing whole comes in time."""
    boundary = response.headers.get_boundary("").removeprefix("--").encode()
    mark, body = b"--" + boundary, _Body(response)
    by = time.monotonic() + patience_s
    inside = body.until(mark, _MOST_HEAD, by=by) is not None
    while inside and not running.stop.is_set():
        by = time.monotonic() + patience_s
        head = body.until(b"\r\n\r\n", _MOST_HEAD, by=by)
        if head is None:
            return
        captured = time.monotonic()
        length = _length(head)
        if length is None:  # not every camera says how long its pictures are: the next part ends this one
            content = body.until(b"\r\n" + mark, LIMITS.content_bytes, by=by)
        else:
            content = body.exactly(length, by=by)
        if content is None:
            return
        yield captured, content
        if length is not None:
            by = time.monotonic() + patience_s
            inside = body.until(mark, _MOST_HEAD, by=by) is not None


def _length(head: bytes) -> int | None:
    """Return what the head of a part says about its length, or None."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            told = value.strip()
            number = int(told) if told.isdigit() and len(told) <= _MOST_DIGITS else -1
            if not 0 <= number <= LIMITS.content_bytes:
                raise DataError(f"a picture of {told[:_MOST_DIGITS]!r} bytes", code="too_many_bytes")
            return number
    return None
