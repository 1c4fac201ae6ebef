"""What is refused for a full queue before any application sees it: the same answer, nothing let through."""

import json
import secrets
import select
import socket
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from http.client import RemoteDisconnected

import pytest

TOKEN = secrets.token_urlsafe(32)
KNOWN = f"Bearer {TOKEN}"


def turns_away(server, picture: bytes) -> bool:
    with suppress(ConnectionError, RemoteDisconnected):  # few are taken at once: this may be one too many
        return server.ask("/v1/predict", picture, authorization=KNOWN).status == 503
    return False


@pytest.fixture
def filled(serve_tampered, until, colored, tmp_path):
    """Start servers whose only place is taken, until they end."""
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    with ExitStack() as stack:

        def start(*more: str):
            options = ("--workers", "1", "--queue", "1", "--timeout", "60s", *more)
            server, _ = serve_tampered(*options, "--token-file", str(tmp_path / "token"), said="slow 100")
            holding = stack.enter_context(closing(server.connect()))
            head = {"authorization": KNOWN, "content-type": "image/png"}
            holding.request("POST", "/v1/predict", colored(), head)
            until(partial(turns_away, server, colored()))
            return server

        yield start


@pytest.fixture
def full(filled):
    return filled("--drain", "100ms")


def count(server, outcome: str) -> float:
    name = f'foveal_requests_total{{model="colors",outcome="{outcome}"}} '
    lines = server.ask("/metrics", authorization=KNOWN).body.decode().splitlines()
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0.0)


def test_the_answer_is_that_of_the_long_way_and_is_counted(full, colored) -> None:
    before = count(full, "overloaded")
    connection = full.connect()
    sent = {"authorization": KNOWN, "x_request_id": "mine-1"}
    short, long, again = (
        full.ask_on(connection, path, colored(), **sent)
        for path in ("/v1/predict", "/v1/predict?model=colors", "/v1/predict")
    )
    connection.close()

    assert (short.status, short.json, again.json) == (503, long.json, long.json)
    assert short.json["code"] == "overloaded"
    assert {k: v for k, v in short.headers.items() if k != "date"} == {
        k: v for k, v in long.headers.items() if k not in ("date", "connection")
    }
    assert set(short.headers) - {"connection"} == set(long.headers) - {"connection"}
    assert count(full, "overloaded") == before + 3


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"authorization": "Bearer no"}, 401, "no_token"),
        ({"origin": "http://evil.example"}, 403, "cross_site"),
        ({"content_encoding": "gzip"}, 415, "encoding_not_allowed"),
        ({"content_length": "20000000"}, 413, "body_too_large"),
    ],
)
def test_what_is_wrong_with_a_request_comes_before_the_queue(full, colored, changed, status, code) -> None:
    answer = full.ask("/v1/predict", colored(), **{"authorization": KNOWN, **changed})
    assert (answer.status, answer.json["code"]) == (status, code)


def test_others_are_answered_as_ever(full) -> None:
    assert full.ask("/v2/health/live").status == 200
    assert full.ask("/v1/models", authorization=KNOWN).status == 200
    assert full.ask("/v1/predict", authorization=KNOWN, method="GET").status == 405
    assert full.ask("/v1/predict?model=no", b"", authorization=KNOWN).json["code"] == "unknown_model"


@contextmanager
def talking(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as talk:
        yield talk


def head(length: int) -> bytes:
    lines = ["POST /v1/predict HTTP/1.1", "Host: localhost", f"Authorization: {KNOWN}"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def answer(talk: socket.socket) -> dict:
    """Read one answer."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += talk.recv(1) or pytest.fail("closed")
    length = int(read.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    body = b""
    while len(body) < length:
        body += talk.recv(length - len(body)) or pytest.fail("closed")
    return json.loads(body)


def test_the_answer_comes_before_the_body_and_the_connection_goes_on_behind_it(full) -> None:
    with talking(full) as talk:
        for size in (1, 70_000, 1_000_000, 0):
            talk.sendall(head(size))
            assert answer(talk)["code"] == "overloaded"
            talk.sendall(bytes(size))


def test_requests_that_come_together_are_each_answered_in_their_order(full) -> None:
    with talking(full) as talk:
        live = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        talk.sendall((head(3) + b"abc") * 50 + live)
        assert [answer(talk).get("code") for _ in range(51)] == ["overloaded"] * 50 + [None]


@pytest.mark.parametrize("sent", [b"", b"abc"])
def test_a_body_that_does_not_come_ends_the_connection(full, sent: bytes) -> None:
    workers = full.workers()
    with talking(full) as talk:
        talk.sendall(head(1000) + sent)
        assert answer(talk)["code"] == "overloaded"
        assert talk.recv(100) == b""
    assert full.workers() == workers, "it was not the end of a worker that hangs"


def test_an_idle_connection_is_closed_as_after_any_answer(full) -> None:
    with talking(full) as talk:
        talk.sendall(head(3))
        assert answer(talk)["code"] == "overloaded"
        talk.sendall(b"abc")
        assert talk.recv(100) == b""


LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_who_still_sends_a_body_in_vain_is_not_idle(filled) -> None:
    server = filled("--drain", "100ms", "--connections", "2")
    with talking(server) as talk:
        talk.sendall(head(1000))
        assert answer(talk)["code"] == "overloaded"
        with talking(server) as third:
            third.sendall(LIVE)
            assert not select.select([third], [], [], 0.5)[0], "it waits for a place"
            talk.sendall(bytes(1000))  # now it is idle
            assert answer(third) == {"live": True}


def test_who_still_sends_a_body_in_vain_while_the_server_ends_is_not_cut_off(filled, until) -> None:
    server = filled("--drain", "60s")
    with talking(server) as talk:
        talk.sendall(head(1000))
        assert answer(talk)["code"] == "overloaded"
        server.stop()
        until(lambda: refuses(server))
        assert not select.select([talk], [], [], 0.3)[0]
        talk.sendall(bytes(1000))
        assert talk.recv(100) == b""
        server.stop()  # at once: the picture in work takes 100 s


def refuses(server) -> bool:
    """Return whether nobody listens any more."""
    try:
        socket.create_connection(("127.0.0.1", server.port)).close()
    except ConnectionRefusedError:
        return True
    return False
