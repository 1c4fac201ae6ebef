"""What is refused before a request is one; raw bytes on a real server."""

import json
import socket

import pytest

HOST = b"Host: localhost\r\n"
PICTURE_HEAD = b"POST /v1/predict HTTP/1.1\r\nContent-Type: image/png\r\n" + HOST


def exchange(port: int, *parts: bytes) -> bytes:
    """Send bytes, and return all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        answer = b""
        try:
            for part in parts:
                connection.sendall(part)
            while part := connection.recv(65536):
                answer += part
        except (ConnectionResetError, BrokenPipeError):  # closed before all was sent
            pass
        return answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST * 2 + b"\r\n", 400),
        (b"GET / HTTP/2.7\r\n" + HOST + b"\r\n", 400),
        (b"CONNECT localhost:1 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n", 400),
        (PICTURE_HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (PICTURE_HEAD + b"Content-Length: 1x\r\n\r\n", 400),
        (PICTURE_HEAD + b"Content-Length: " + b"0" * 5000 + b"1\r\n\r\n", 400),
        (b"GET /v2/health/live HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"0" * 5000 + b"\r\n\r\n", 400),
        (PICTURE_HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (PICTURE_HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 400),
        (PICTURE_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 3_000_000, 431),
        (PICTURE_HEAD + b"Content-Length: 20000000\r\n\r\n", 413),
    ],
)
def test_a_head_that_is_malformed_or_too_long_is_refused_and_the_connection_closed(
    server, colored, request_, status
) -> None:
    answer = exchange(server.port, request_)

    if answer or len(request_) < 1_000_000:  # a reset may overtake the answer to who goes on sending
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.split(b" ")[1] == str(status).encode()
        assert b"connection: close" in head
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == status
    assert server.ask("/v1/predict", colored()).status == 200


def test_the_longest_head_that_is_allowed_passes_with_a_body_behind_it(server, colored) -> None:
    body = colored()
    head = PICTURE_HEAD + b"Connection: close\r\nContent-Length: %d\r\n" % len(body)
    filler = b"X-Filler: " + b"y" * (16_000 - len(head)) + b"\r\n\r\n"

    for parts in ((head + filler + body,), (head, filler, body[:10], body[10:])):
        assert exchange(server.port, *parts).startswith(b"HTTP/1.1 200")


def test_requests_on_one_connection_are_answered_in_their_order(server, colored) -> None:
    requests = []
    for color in ((220, 30, 30), (30, 220, 30), (30, 30, 220)):
        body = colored(color)
        requests.append(PICTURE_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    last = b"GET /v2/health/live HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"

    answer = exchange(server.port, b"".join([*requests, last]))

    places = [answer.find(b'"label": "%s"' % color) for color in (b"red", b"green", b"blue")]
    assert -1 not in places
    assert places == sorted(places)
    assert answer.count(b"HTTP/1.1 200") == 4


def test_what_is_no_request_does_not_take_the_answer_of_the_one_before_it(server, colored) -> None:
    body = colored()
    request = PICTURE_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body

    for rest in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        answer = exchange(server.port, request + rest)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"label": "red"' in answer


def test_who_asks_first_whether_to_send_is_told_no_before_a_byte_of_the_body(server) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nContent-Type: text/html\r\nExpect: 100-continue\r\n" + HOST

    answer = exchange(server.port, head + b"Content-Length: 1000\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 415")


def test_a_stranger_name_for_a_local_server_is_refused(server) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost.evil", "[::2]"):
        answer = server.ask("/v1/models", host=host)
        assert (answer.status, answer.json["code"]) == (400, "host_not_allowed"), host
    for host in ("localhost", "LOCALHOST:9", f"127.0.0.1:{server.port}", "[::1]:8080"):
        assert server.ask("/v1/models", host=host).status == 200, host


def test_methods_and_paths_that_are_not_there(server) -> None:
    for method in ("HEAD", "OPTIONS", "TRACE", "DELETE", "PUT"):
        answer = server.ask("/v1/predict", method=method)
        assert answer.status == 405, method
    assert server.ask("/v1/predict", method="GET").headers["allow"] == "POST"
    for path in (
        "/v1",
        "/v1/predict/",
        "//v1/models",
        "/v1/../v1/models",
        "/%2e%2e/",
        "/v1/models%00",
        "/" + "a" * 8000,
    ):
        answer = server.ask(path)
        assert (answer.status, answer.json["code"]) == (404, "not_found"), path
