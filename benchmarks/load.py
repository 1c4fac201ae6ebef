"""A client that takes little: many keep-alive connections to one HTTP server in one thread.

The machine that is measured also runs the client, so requests are prepared beforehand and answers are only
looked at as far as their length and status. What answers say is checked elsewhere.
"""

import selectors
import socket
import statistics
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Result:
    """What became of the requests of one measurement.

    Attributes:
        seconds: From the first request to the last answer.
        statuses: How often each status came; 0: the connection broke.
        latencies: Seconds of the answers with status 200: from the moment when a request was due.
        refused: Seconds of the others.
    """

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.statuses[200] / self.seconds

    def at(self, percent: float) -> float:
        """Return a percentile of the latencies of good answers, in ms."""
        ordered = sorted(self.latencies)
        return 1e3 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0

    def __str__(self) -> str:
        """Write rate and percentiles on one line."""
        others = {status: count for status, count in sorted(self.statuses.items()) if status != 200}
        return (
            f"{self.rate:7.1f} good/s, p50 {self.at(50):7.2f} ms, p99 {self.at(99):7.2f} ms, "
            f"n={self.statuses[200]}{f', others {others}' if others else ''}"
        )


def request(path: str, picture: bytes, *, token: str | None = None) -> bytes:
    """Return a whole request with a picture in a multipart form, as browsers and `curl -F` send it."""
    edge = "--picture-follows"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
    body = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + picture + f"\r\n--{edge}--\r\n".encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: multipart/form-data; boundary={edge}",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Connection:
    """One connection with at most one request on its way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.received = b""
        self.ended = False

    def send(self, data: bytes, due: float) -> None:
        self.due, self.received = due, b""
        self.socket.setblocking(True)  # a request is small; the kernel takes it at once
        self.socket.sendall(data)
        self.socket.setblocking(False)

    def answered(self) -> int | None:
        """Take what has come; return the status once the answer is whole, 0 where the connection broke."""
        try:
            block = self.socket.recv(1 << 16)
        except BlockingIOError:
            return None
        except OSError:
            return 0
        if not block:
            return 0
        self.received += block
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return None
        named = [line.lower().partition(b":") for line in head.split(b"\r\n")]
        length = next((int(value) for name, _, value in named if name == b"content-length"), 0)
        self.ended = any(name == b"connection" and value.strip() == b"close" for name, _, value in named)
        return int(head[9:12]) if len(body) >= length else None


def closed(port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> Result:
    """Send the next request as soon as the answer to the last one is there, on each of some connections."""
    return _drive(port, requests, connections=connections, seconds=seconds, rate=None)


def opened(port: int, requests: Sequence[bytes], *, rate: float, connections: int, seconds: float) -> Result:
    """Send requests at a fixed rate, whatever becomes of them, as many users do.

    A request that is due while all connections are busy waits for one, and that counts as its time.
    """
    return _drive(port, requests, connections=connections, seconds=seconds, rate=rate)


def _drive(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float, rate: float | None
) -> Result:
    result, selector, sent = Result(), selectors.DefaultSelector(), 0
    # The one that has been free for longest comes first: all connections are used alike.
    free = deque(_Connection(port) for _ in range(connections))
    for connection in free:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    busy = 0
    start = now = time.perf_counter()
    while now - start < seconds or busy:
        while free and now - start < seconds:
            due = now if rate is None else start + sent / rate
            if due > now:
                break
            free.popleft().send(requests[sent % len(requests)], due)
            sent, busy = sent + 1, busy + 1
        wait = 0.1 if rate is None or not free else max(0.0, min(0.1, start + sent / rate - now))
        for key, _ in selector.select(wait):
            connection: _Connection = key.data
            status = connection.answered()
            if status is None:
                continue
            now = time.perf_counter()
            result.statuses[status] += 1
            (result.latencies if status == 200 else result.refused).append(now - connection.due)
            busy -= 1
            if status == 0 or connection.ended:
                selector.unregister(connection.socket)
                connection.socket.close()
                connection = _Connection(port)
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            free.append(connection)
        now = time.perf_counter()
    result.seconds = now - start
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    return result


def median(results: Sequence[Result], percent: float | None = None) -> float:
    """Return the median over rounds of the rate, or of a percentile in ms."""
    return statistics.median(r.rate if percent is None else r.at(percent) for r in results)
