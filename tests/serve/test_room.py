"""Memory for bodies: large ones that stall leave room for small ones."""

import contextlib
import io
import socket

from hypothesis import given
from hypothesis import strategies as st

from foveal.serve.problems import HttpError
from foveal.serve.room import Room

HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


@given(st.integers(1, 1000), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 300), st.booleans())))
def test_several_bodies_never_have_more_than_there_is(most: int, steps) -> None:
    room, held = Room(most), dict.fromkeys(range(10), 0)

    for body, more, ends in steps:
        with contextlib.suppress(HttpError):
            room.take(more, held=held[body])
            held[body] += more
        if ends:
            room.give(held[body])
            held[body] = 0
        assert room.taken == sum(held.values())
        bodies = [count for count in held.values() if count]
        alone = max(bodies, default=0)
        assert len(bodies) < 2 or sum(bodies) <= max(most, alone), "the only one is let in, none beside it"


def test_where_large_ones_are_refused_small_ones_are_let_in() -> None:
    room, let_in = Room(256), 0
    with contextlib.suppress(HttpError):
        while True:
            room.take(16, held=0)
            let_in += 1

    assert let_in == 15
    for _ in range(8):
        room.take(1, held=0)
    assert room.taken == 248


def _ask(port: int, length: int) -> tuple[socket.socket, bytes]:
    """Announce a body, and return what is said to that; none of it is sent."""
    talk = socket.create_connection(("127.0.0.1", port), timeout=60)
    talk.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
    return talk, talk.recv(65536)


def test_bodies_that_stall_have_a_limit_beside_which_small_ones_pass(serve, until, colored) -> None:
    server = serve("--workers", "1", "--max-body", "1MB", "--body-memory", "4MB")
    stalled = [_ask(server.port, 1_000_000) for _ in range(3)]
    assert [said[:12] for _, said in stalled] == [b"HTTP/1.1 100"] * 3

    talk, said = _ask(server.port, 1_000_000)
    talk.close()
    assert said.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in said
    pieces = io.BytesIO(colored() + bytes(900_000))
    connection = server.connect()
    parts, kind = iter(lambda: pieces.read(65536), b""), {"content-type": "image/png"}
    connection.request("POST", "/v1/predict", parts, kind, encode_chunked=True)
    assert connection.getresponse().status == 503, "one that does not say how long it is"
    connection.close()
    assert server.metric('foveal_requests_total{model="colors",outcome="overloaded"}') == 2
    for _ in range(20):
        assert server.ask("/v1/predict", colored()).status == 200

    for talk, _ in stalled:
        talk.close()
    until(lambda: server.metric("foveal_in_flight") == 1)  # who asks for it
    for _ in range(3):
        assert server.ask("/v1/predict", colored() + bytes(900_000)).status == 200
