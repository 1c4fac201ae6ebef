"""One kept-alive HTTP connection to one server."""

import contextlib
import http.client
import json
import math
import selectors
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from foveal.core.errors import FovealError, TemporaryError, UsageError

_HEAD = "Inference-Header-Content-Length"
_MOST = 64 * 2**20  # bytes of an answer


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The HTTP status.
        kind: The media type, in small letters, without its parameters.
        retry_after: Seconds to wait before asking again, ≥ 0; None: the server does not say.
        head: How many bytes of the body are JSON, where numbers follow; None: all.
        body: As it came.
    """

    status: int
    kind: str
    retry_after: float | None
    head: int | None
    body: bytes

    def json(self) -> Any:
        """Return the document.

        Raises:
            FovealError: `bad_answer`: it is none.
        """
        try:
            return json.loads(self.body[: self.head])
        except (ValueError, RecursionError) as error:
            raise FovealError(
                f"the server answered {self.kind or 'something'} that is no JSON", code="bad_answer"
            ) from error


class Connection:
    """Opens when it is needed, and again when the server closed it meanwhile; never sends anything twice."""

    def __init__(self, url: str, *, token: str | None, timeout: float) -> None:
        """Check the address; see `Client`."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or not plain:
            raise UsageError(
                "a server's address is http://HOST:PORT, without a name, a password or a query in it",
                hint="foveal serve prints its address when it is ready",
            )
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token and token):
            raise UsageError("a token is one word of ASCII letters, digits and signs")
        if not (timeout > 0 and math.isfinite(timeout)):
            raise UsageError(f"timeout is a number of seconds above 0; got {timeout}")
        self._where = f"{parts.scheme}://{parts.netloc}"
        self._before = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "foveal"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        if parts.scheme == "https":
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, port, timeout=timeout, context=ssl.create_default_context()
            )
        else:
            self._http = http.client.HTTPConnection(parts.hostname, port, timeout=timeout)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
        kind: str | None = None,
        head: int | None = None,
    ) -> Answer:
        """Send one request and return the answer, whatever its status.

        Args:
            method: `GET` or `POST`.
            path: Of the server, from `/`; what is no letter of an address is quoted.
            query: Parameters.
            body: The content.
            kind: Its media type.
            head: How many of its bytes are JSON, where numbers follow; else it is a picture or a form.

        Raises:
            TemporaryError: `unreachable`: nobody answers, in time or at all.
            FovealError: `bad_answer`: what answers speaks no HTTP, or says too much.
        """
        headers = dict(self._headers)
        if kind is not None:
            headers["Content-Type"] = kind
        if head is not None:
            headers[_HEAD] = str(head)
        target = self._before + quote(path) + (f"?{urlencode(query)}" if query else "")
        self._drop_if_closed()
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent:
                self._http.request(method, target, body=body, headers=headers)
            return _read(self._http.getresponse())
        except (http.client.IncompleteRead, http.client.RemoteDisconnected, OSError) as error:
            self.close()
            raise TemporaryError(
                f"{self._where} does not answer: {error or type(error).__name__}",
                code="unreachable",
                hint="is foveal serve running there, and is this its address?",
            ) from error
        except http.client.HTTPException as error:
            self.close()
            raise FovealError(f"{self._where} speaks no HTTP: {error}", code="bad_answer") from error
        except BaseException:  # interrupted: the rest of this answer must not be taken for the next one
            self.close()
            raise

    def close(self) -> None:
        """Close it; the next request opens another one."""
        self._http.close()

    def _drop_if_closed(self) -> None:
        """Close a kept connection that the server closed: a request on it would be lost."""
        if self._http.sock is None:
            return
        with selectors.DefaultSelector() as looking:
            looking.register(self._http.sock, selectors.EVENT_READ)
            if looking.select(0):  # nothing is due: it is the end, or what nobody asked for
                self.close()


def _read(response: http.client.HTTPResponse) -> Answer:
    body = response.read(_MOST + 1)
    if len(body) > _MOST:
        raise FovealError(f"an answer of more than {_MOST} bytes", code="bad_answer")
    kind = response.headers.get_content_type() if "Content-Type" in response.headers else ""
    wait, head = _number(response.headers.get("Retry-After")), _number(response.headers.get(_HEAD))
    return Answer(response.status, kind, None if wait is None else float(wait), head, body)


def _number(said: str | None) -> int | None:
    return int(said) if said is not None and said.isascii() and said.isdecimal() and len(said) < 12 else None
