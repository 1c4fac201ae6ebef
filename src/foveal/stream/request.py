"""One request over HTTP to the very address that a person named; no redirection is followed."""

import base64
import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import SplitResult

from foveal.core.errors import TemporaryError
from foveal.stream.address import credentials

KINDS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
LATER = (408, 425, 429)  # what a server says that wants to be asked again
_MOST_WORDS = 200  # of what a server says that is no answer


@contextmanager
def answer(
    parts: SplitResult, name: str, *, timeout_s: float, headers: dict[str, str], body: bytes | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Ask, and give what is answered; the connection ends with the block.

    Args:
        parts: The address; its user and password are sent.
        name: The address for people.
        timeout_s: Of each wait for the other side.
        headers: Besides that of user and password.
        body: To POST; None: GET.

    Raises:
        TemporaryError: `no_connection`: nobody answers, no longer, or not in HTTP; also inside the block.
    """
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if (known := credentials(parts)) is not None:
        headers = {
            **headers,
            "Authorization": "Basic " + base64.b64encode(":".join(known).encode()).decode(),
        }
    connection = KINDS[parts.scheme](parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET" if body is None else "POST", target, body, headers)
        with _answered(connection) as response:
            yield response
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error)[:_MOST_WORDS] or type(error).__name__
        raise TemporaryError(f"{name}: {why}", code="no_connection") from None
    finally:
        connection.close()


def _answered(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    try:
        return connection.getresponse()
    except ValueError:  # Python's own reader stumbles over numbers with thousands of digits in a header
        raise http.client.HTTPException("what it answers is no HTTP") from None
