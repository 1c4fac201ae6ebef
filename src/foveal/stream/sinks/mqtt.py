"""Events as JSON to a broker: `mqtt://host:port/topic`; needs the extra `mqtt`."""

import json
import math
from typing import Any
from urllib.parse import unquote

from foveal.core.errors import TemporaryError, UsageError
from foveal.stream.address import address, credentials, shown
from foveal.stream.options import SinkOptions
from foveal.stream.outbox import Item
from foveal.stream.shown import Shown

EXTRA = "mqtt"
PICTURES = False
LOCAL = False

_PATIENCE_S = 5.0
_PORT = 1883


def mqtt(place: str, options: SinkOptions) -> "_Mqtt":
    """Return what publishes events and incidents with quality of service 1, at least once; no encryption.

    Raises:
        UsageError: It is no address with a topic, or one of another machine without `options.allow_remote`.
    """
    parts = address(place)
    topic = unquote(parts.path).strip("/")
    if not topic or any(letter in topic for letter in "+#"):
        raise UsageError(f"{shown(place)} names no topic", hint="mqtt://127.0.0.1:1883/line-1/parts")
    options.check_host(parts.hostname or "")
    return _Mqtt(place, topic, options.digest)


class _Mqtt:
    """Connects before the first event, and again after a broker was away."""

    def __init__(self, place: str, topic: str, digest: str) -> None:
        self._parts, self._name, self._topic, self._digest = address(place), shown(place), topic, digest
        self._client: Any = None

    room, patient, complete, limit = 256, False, True, math.inf

    def wanted(self, item: Item) -> Item | None:
        return None if isinstance(item, Shown) else item

    def write(self, item: Item) -> None:
        body = json.dumps({"event": item.as_json(), "digest": self._digest})
        try:
            if self._client is None:
                self._client = self._connected()
            sent = self._client.publish(self._topic, body, qos=1)
            sent.wait_for_publish(_PATIENCE_S)
            if not sent.is_published():
                raise OSError("the broker does not confirm")
        except (OSError, RuntimeError, ValueError) as error:
            self._disconnect()
            raise TemporaryError(f"{self._name}: {error}", code="no_connection") from None

    def close(self) -> None:
        self._disconnect()

    def _connected(self) -> Any:
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        client = paho.Client(CallbackAPIVersion.VERSION2)
        if (known := credentials(self._parts)) is not None:
            client.username_pw_set(*known)
        client.connect_timeout = _PATIENCE_S
        client.connect(self._parts.hostname or "", self._parts.port or _PORT)
        client.loop_start()
        return client

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()
