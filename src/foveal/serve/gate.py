"""What every request passes before any application sees it, and what every answer leaves by."""

import asyncio
import contextlib
import re
import secrets
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foveal.core.errors import BundleError
from foveal.serve.log import log
from foveal.serve.metrics import NO_MODEL
from foveal.serve.origin import check_origin
from foveal.serve.problems import GONE, MEDIA_TYPE, HttpError
from foveal.serve.service import Service

# Without a token: a browser sends none with the address of a page, and these say nothing of the models.
OPEN = frozenset({"/v2/health/live", "/v2/health/ready", "/", "/docs", "/openapi.json"})
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_FORM = b"application/x-www-form-urlencoded"
LINGER_BYTES, LINGER_SECONDS = 1 << 20, 2.0  # of a refused body that are read, so that its answer is


@dataclass
class Call:
    """A request on its way.

    Attributes:
        id: Of the request: the client's `X-Request-Id`, or a random one.
        started: When its head had come, in monotonic seconds.
        model: That it is for.
        client: Number of the token it came with.
        held: Bytes of its body that there is room for.
        outcome: How it ended: `ok`, or the code of the problem.
    """

    id: str
    started: float = field(default_factory=time.monotonic)
    model: str = NO_MODEL
    client: int = 0
    held: int = 0
    outcome: str = "ok"


class Gate:
    """ASGI middleware: host, origin, token and kind of body are looked at before any of the body is read."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        call = scope["foveal.call"] = Call(request_id(headers))
        exchange = _Exchange(call, receive, send, promised=b"expect" in headers)
        self._service.enter()
        try:
            check(self._service, scope, headers, call)
            if scope["method"] == "HEAD":  # for the application; the server's own scope keeps the body back
                scope = {**scope, "method": "GET"}
            await self._app(scope, exchange.receive, exchange.send)
        except HttpError as problem:
            await exchange.refuse(problem)
        except Exception as error:
            await exchange.refuse(self._failed(error, call))
        finally:
            self._service.leave(call)

    def _failed(self, error: Exception, call: Call) -> HttpError:
        """Note what no client can help, and return what is said of it."""
        at = traceback.extract_tb(error.__traceback__)[-1]
        code = error.code if isinstance(error, BundleError) else "internal"
        log(
            event=code,
            request_id=call.id,
            error=type(error).__name__,
            at=f"{Path(at.filename).name}:{at.lineno}",
        )
        if code != "model_output_invalid":
            return HttpError("internal", "this is a bug in foveal")
        self._service.metrics.count("output_invalid", call.model)
        return HttpError(code, "what the model answered is no probability; it is not passed on")


class _Exchange:
    """A request and its answer, as they pass the gate."""

    def __init__(self, call: Call, receive: Receive, send: Send, *, promised: bool) -> None:
        self._call, self._receive, self._send = call, receive, send
        self._promised = promised  # the body comes once we ask for it (100 Continue)
        self._started = self._received = False

    async def receive(self) -> Message:
        """Receive a part of the request."""
        message = await self._receive()
        self._promised = False
        self._received = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, with the request's id."""
        if message["type"] == "http.response.start":
            self._started = True
            message["headers"] = [*message.get("headers", []), (b"x-request-id", self._call.id.encode())]
        await self._send(message)

    async def refuse(self, problem: HttpError) -> None:
        """Answer with a problem, unless nobody is there or an answer was begun."""
        self._call.outcome = problem.code
        if problem.code == GONE or self._started:
            return
        body = problem.body(self._call.id)
        headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **problem.headers}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        if not self._promised:
            await self._forget_body(0.0)
        whole = self._received
        if not whole:
            encoded.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": problem.status, "headers": encoded})
        await self.send(
            {"type": "http.response.body", "body": body, "more_body": not (whole or self._promised)}
        )
        if not whole and not self._promised:
            # Closing at once would reset the connection under a client that still sends, and take the answer
            # with it.
            await self._forget_body(LINGER_SECONDS)
            await self.send({"type": "http.response.body", "body": b""})

    async def _forget_body(self, seconds: float) -> None:
        """Read what is left of a body, for a while."""
        read = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._received and read <= LINGER_BYTES:
                    read += len((await self.receive()).get("body", b""))


def check(service: Service, scope: Scope, headers: dict[bytes, bytes], call: Call) -> None:
    """Look at the head of a request, and note whose it is.

    Raises:
        HttpError: Why it is not let in.
    """
    hosts = service.settings.hosts
    if hosts is not None and _host(headers.get(b"host", b"")) not in hosts:
        raise HttpError(
            "host_not_allowed",
            "the Host header names no address of this server",
            hint="ask at localhost, or at the address that the server listens on; "
            "one that is started with a token answers to any name",
        )
    if scope["path"] not in OPEN:
        check_origin(headers)
        call.client = service.admit([value for name, value in scope["headers"] if name == b"authorization"])
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise HttpError(
            "encoding_not_allowed",
            "a body is sent as it is, without Content-Encoding",
            hint="send the bytes of the picture file: JPEG, PNG and WebP are compressed already",
        )
    if headers.get(b"content-type", b"").lower().startswith(_FORM):
        raise HttpError(
            "type_not_allowed",
            "a form of names and values holds no picture; curl says it sends one unless it is told a type",
            hint="say what it is: -H 'Content-Type: image/jpeg' for a picture, "
            "-H 'Content-Type: application/json' for a tensor",
        )
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise HttpError("bad_request", "Content-Length is a number of bytes")
    if int(length) > service.settings.max_body_bytes:
        raise too_large(service.settings.max_body_bytes)


def too_large(limit: int) -> HttpError:
    """Return the problem of a body that is longer than allowed."""
    return HttpError(
        "body_too_large",
        f"a body may have {limit} bytes",
        hint="send smaller pictures, or fewer in a request; the server's --max-body sets the limit",
    )


def request_id(headers: dict[bytes, bytes]) -> str:
    """Return the id that a client gave its request, or a random one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _host(header: bytes) -> str:
    """Return the name in a Host header, without its port."""
    name = header.decode("latin-1").lower()
    return name.rpartition(":")[0] if name.rpartition(":")[2].isdecimal() else name
