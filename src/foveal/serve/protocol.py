"""uvicorn's HTTP/1.1, with the limits that it lacks: how long a request's head may be, and take to come."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import httptools
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from foveal.serve.gate import LINGER_SECONDS
from foveal.serve.problems import MEDIA_TYPE, HttpError

MOST_HEADERS = 100
MOST_HEAD_BYTES = 16_384
_MOST_DIGITS = 19  # of a length: Python reads no number of thousands of them, and noughts in front are legal


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    A head that is too long or slow is refused and the connection closed. `scope["foveal.transport"]` tells
    whether the client is still there.
    """

    head_timeout = 10.0
    ended: Callable[[], None]
    turned_away: Callable[[Scope], bytes | None]
    let_go: Callable[[], bool]
    _at_once = False  # a request that begins now may be answered here
    _dropping = False  # the body of one that was
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    idle_since = 0.0

    @property
    def idle(self) -> bool:
        """Whether no request is being answered on it; one may be on its way."""
        return not self._dropping and (self.cycle is None or self.cycle.response_complete)

    @property
    def leaving(self) -> bool:
        """Whether it ends with the answer to the request that is under way."""
        return self.cycle is not None and not self.cycle.keep_alive

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the head of the first request is due."""
        super().connection_made(transport)
        self.idle_since = self.loop.time()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._forget_deadline()
        super().connection_lost(exc)
        self.ended()

    def shutdown(self) -> None:
        """End as soon as nothing is under way; called again and again until then."""
        if not self._dropping:  # else closing would take the answer from a client that still sends
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Take in what came, unless the head is too long already."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self._ends_head(data):
                self.refuse(_TOO_LARGE)
                return
        self._at_once = True
        super().data_received(data)
        self._at_once = False

    def on_message_begin(self) -> None:
        """A request begins: its head is due."""
        super().on_message_begin()
        self.scope["foveal.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
        if self._deadline is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._forget_deadline()
        self._in_head, self._head_bytes = False, 0
        length = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.headers) > MOST_HEADERS or length > MOST_HEAD_BYTES:
            self.refuse(_TOO_LARGE)
            raise httptools.HttpParserError("the head is too large")
        problem = _malformed(self.parser.get_http_version(), self.headers)
        if problem is not None:
            self.refuse(problem)
            raise httptools.HttpParserError(problem.detail)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there, too; what follows is another head."""
        if self._dropping:
            self._dropping = False
            self._forget_deadline()
            self.on_response_complete()
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        """Answer here who is turned away, or let the application answer.

        Of what came in one piece only one request, lest others wait; and none whose answers are not read.
        """
        answer = None
        if self._at_once and cycle.keep_alive and not self.flow.write_paused:
            answer = self.turned_away(self.scope)  # type: ignore[arg-type]
        if answer is None:
            if cycle.keep_alive and not self.pipeline and self.let_go():
                cycle.keep_alive = False
            super()._start_asgi_task(cycle, app)  # type: ignore[arg-type]
            return
        self._at_once, self._dropping = False, True
        cycle.response_started = cycle.response_complete = True  # its body is dropped as it comes
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        self.transport.write(answer)

    def on_response_complete(self) -> None:
        """The answer is out."""
        self.idle_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self.refuse(HttpError("bad_request", "this is no HTTP/1.1 request"))

    def refuse(self, problem: HttpError) -> None:
        """Answer without any application, and close the connection; a request before this one goes first."""
        self._forget_deadline()
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            if not self.cycle.more_body:  # it is in work; what came behind it is no request
                self.cycle.keep_alive = False
                return
            # Its body is what is wrong: for its application the client has left.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = problem.body(secrets.token_hex(8))
            head = [STATUS_LINE[problem.status], b"content-type: ", MEDIA_TYPE.encode(), b"\r\n"]
            head += [b"content-length: ", str(len(body)).encode(), b"\r\nconnection: close\r\n\r\n"]
            self.transport.write(b"".join([*head, body]))
        self.transport.close()

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(
            self.head_timeout, self.refuse, HttpError("slow_head", "the head of the request came too slowly")
        )

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _ends_head(self, data: bytes) -> bool:
        """Return whether a head of the allowed length may end within these bytes, the body behind it."""
        before = self._head_bytes - len(data)
        return b"\r\n\r\n" in data[: max(0, MOST_HEAD_BYTES - before) + 4]


_TOO_LARGE = HttpError(
    "head_too_large", f"the head may have {MOST_HEADERS} headers and {MOST_HEAD_BYTES} bytes"
)


def _malformed(version: str, headers: list[tuple[bytes, bytes]]) -> HttpError | None:
    """Return what is wrong with headers that decide where a request ends or whom it is for."""
    names = [name for name, _ in headers]
    if version not in ("1.0", "1.1"):
        return HttpError("bad_request", "HTTP/1.1 and 1.0 are spoken here")
    if names.count(b"host") != 1 and (version == "1.1" or names.count(b"host") > 1):
        return HttpError("bad_request", "a request has one Host header")
    if names.count(b"content-length") > 1 or {b"content-length", b"transfer-encoding"} <= set(names):
        return HttpError("bad_request", "a body has one length")
    if any(name == b"content-length" and len(value) > _MOST_DIGITS for name, value in headers):
        return HttpError("bad_request", f"Content-Length is a number of {_MOST_DIGITS} digits at most")
    return None


def protocol(
    head_timeout: float,
    *,
    ended: Callable[[], None],
    turned_away: Callable[[Scope], bytes | None],
    let_go: Callable[[], bool],
) -> type[BoundedProtocol]:
    """Return the class of connections of a worker.

    Args:
        head_timeout: Seconds for the head of a request.
        ended: Called after each connection.
        turned_away: Returns the answer to a request that no application needs to see, else None.
        let_go: Returns whether the connection of a request ends with its answer.
    """
    attributes: dict[str, Any] = {
        "head_timeout": head_timeout,
        "ended": staticmethod(ended),
        "turned_away": staticmethod(turned_away),
        "let_go": staticmethod(let_go),
    }
    return type("Connection", (BoundedProtocol,), attributes)
