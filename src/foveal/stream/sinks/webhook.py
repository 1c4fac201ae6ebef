"""Events as JSON to an address: `webhook:http://127.0.0.1:8000/path`."""

import json
import math

from foveal.core.errors import DataError, TemporaryError, UsageError
from foveal.stream.address import address, shown
from foveal.stream.options import SinkOptions
from foveal.stream.outbox import Item
from foveal.stream.request import KINDS, LATER, answer
from foveal.stream.shown import Shown

EXTRA = None
PICTURES = False
LOCAL = False

_PATIENCE_S = 5.0


def webhook(place: str, options: SinkOptions) -> "_Webhook":
    """Return what posts events and incidents to the address that is named; no redirection is followed.

    Raises:
        UsageError: It is no address, or one of another machine without `options.allow_remote`.
    """
    parts = address(place)
    if parts.scheme not in KINDS:
        raise UsageError(f"{shown(place)}: a webhook is http:// or https://")
    options.check_host(parts.hostname or "")
    return _Webhook(place, options.digest)


class _Webhook:
    def __init__(self, place: str, digest: str) -> None:
        self._parts, self._name, self._digest = address(place), shown(place), digest

    room, patient, complete, limit = 256, False, True, math.inf

    def wanted(self, item: Item) -> Item | None:
        return None if isinstance(item, Shown) else item

    def write(self, item: Item) -> None:
        body = json.dumps({"event": item.as_json(), "digest": self._digest}).encode()
        headers = {"Content-Type": "application/json"}
        with answer(self._parts, self._name, timeout_s=_PATIENCE_S, headers=headers, body=body) as response:
            status = response.status
        if status >= 500 or status in LATER:
            raise TemporaryError(f"{self._name} answers {status}")
        if not 200 <= status < 300:
            raise DataError(f"{self._name} answers {status}", code="refused")

    def close(self) -> None:
        """Nothing is kept open."""
