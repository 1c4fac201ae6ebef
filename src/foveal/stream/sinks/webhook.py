"""Events as JSON to an address: `webhook:http://127.0.0.1:8000/path`."""

import base64
import http.client
import json

from foveal.core.errors import DataError, TemporaryError, UsageError
from foveal.stream.address import address, credentials, shown
from foveal.stream.order import SinkOrder
from foveal.stream.outbox import Item
from foveal.stream.shown import Shown

EXTRA = None
LOCAL = False

_PATIENCE_S = 5.0
_KINDS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
_LATER = (408, 425, 429)  # what a server says that wants it again


def webhook(place: str, order: SinkOrder) -> "_Webhook":
    """Return what posts events and incidents to the address that is named; no redirection is followed.

    Raises:
        UsageError: It is no address, or one of another machine without `order.allow_remote`.
    """
    parts = address(place)
    if parts.scheme not in _KINDS:
        raise UsageError(f"{shown(place)}: a webhook is http:// or https://")
    order.check_host(parts.hostname or "")
    return _Webhook(place, order.digest)


class _Webhook:
    def __init__(self, place: str, digest: str) -> None:
        self._parts, self._name, self._digest = address(place), shown(place), digest

    room, patient = 256, False

    def wanted(self, item: Item) -> Item | None:
        return None if isinstance(item, Shown) else item

    def write(self, item: Item) -> None:
        parts = self._parts
        body = json.dumps({"event": item.as_json(), "digest": self._digest}).encode()
        headers = {"Content-Type": "application/json"}
        if (known := credentials(parts)) is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(known).encode()).decode()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = _KINDS[parts.scheme](parts.hostname or "", parts.port, timeout=_PATIENCE_S)
        try:
            connection.request("POST", target, body, headers)
            with connection.getresponse() as response:
                status = response.status
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise TemporaryError(f"{self._name}: {why}", code="no_connection") from None
        finally:
            connection.close()
        if status >= 500 or status in _LATER:
            raise TemporaryError(f"{self._name} answers {status}")
        if not 200 <= status < 300:
            raise DataError(f"{self._name} answers {status}", code="refused")

    def close(self) -> None:
        """Nothing is kept open."""
