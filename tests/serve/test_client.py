"""serve.client: what it returns is what a predictor here would; what goes wrong is one of our errors."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from bad_inputs.http import TOKEN
from bad_inputs.made import encoded, photo
from foveal.bundle.predictor import Predictor, Unreadable
from foveal.core.errors import FovealError, ImageError, NotFoundError, TemporaryError, UsageError
from foveal.core.types import Label
from foveal.serve.client import Client
from live import Server, running

GOOD = encoded(photo(), "JPEG")


@pytest.fixture(scope="module")
def server(bundle: Path, corner_bundle: Path) -> Iterator[Server]:
    with running([bundle, corner_bundle], workers=1) as shared:
        yield shared


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as asking:
        yield asking


def local(bundle: Path, *inputs: Any) -> list[Label | Unreadable]:
    found = Predictor.open(bundle, threads=1).predict_each(inputs, workers=1)
    return [replace(one, strangeness=None) if isinstance(one, Label) else one for one in found]


def test_answers_are_those_of_the_bundle(client: Client, bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(photo(seed=3)))

    assert client.predict(GOOD) == local(bundle, GOOD)
    assert client.predict(path) == local(bundle, path)
    assert client.predict(str(path)) == local(bundle, str(path))
    assert client.predict([GOOD, path, GOOD]) == local(bundle, GOOD, path, GOOD)
    assert client.predict([]) == []


@pytest.mark.parametrize("count", [1, 2, 32, 33, 70])
def test_any_number_of_pictures_is_answered_in_order(count: int, client: Client, bundle: Path) -> None:
    pictures = [encoded(photo(8, 8, seed=seed)) for seed in range(count)]

    assert client.predict(pictures) == local(bundle, *pictures)


def test_what_cannot_be_used_is_unreadable_in_its_place(client: Client, tmp_path: Path) -> None:
    inputs = [
        GOOD,
        GOOD[:300],
        tmp_path / "none.jpg",
        tmp_path,
        b"",
        b"%PDF-1.7" + bytes(60),
        b"x" * 17_000_000,
    ]
    several = client.predict(inputs)
    alone = [answer for one in inputs for answer in client.predict([one])]

    for answers in (several, alone):
        codes = [one.error.code if isinstance(one, Unreadable) else None for one in answers]
        assert codes == [
            *(None, "truncated", "not_found", "not_regular"),
            *("empty", "format_not_allowed", "too_many_bytes"),
        ]
        errors = [one.error for one in answers if isinstance(one, Unreadable)]
        assert all(isinstance(error, ImageError | NotFoundError) for error in errors)
    paths = [str(tmp_path / "none.jpg"), str(tmp_path)]
    assert [one.source for one in several] == ["#0", "#1", *paths, "#4", "#5", "#6"]
    bad = several[1]
    assert isinstance(bad, Unreadable)
    assert bad.error.exit_code == 65


def test_models_are_listed_and_chosen(server: Server, bundle: Path, corner_bundle: Path) -> None:
    with Client(server.url) as client:
        first, second = client.models()
    opened = Predictor.open(corner_bundle, threads=1)
    assert (second.name, second.digest, second.classes) == ("corner", opened.digest, opened.classes)
    assert first.name == "colors"
    with Client(server.url, model="corner") as client:
        assert client.predict(GOOD) == local(corner_bundle, GOOD)
    with Client(server.url, model="nobody") as client, pytest.raises(NotFoundError) as raised:
        client.predict(GOOD)
    assert raised.value.code == "unknown_model"
    assert raised.value.hint is not None


@pytest.mark.parametrize("count", [1, 3])
def test_inference_gives_the_numbers_of_the_graph(count: int, client: Client, bundle: Path) -> None:
    predictor = Predictor.open(bundle, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    found = client.infer(images[:, ::-1])
    rows = [predictor.run(np.ascontiguousarray(one[None, ::-1])) for one in images]

    assert np.array_equal(found["probabilities"], np.concatenate([row.probabilities for row in rows]))
    assert np.array_equal(found["logits"], np.concatenate([row.logits for row in rows]))
    best = found["probabilities"].argmax(axis=1)
    assert found["labels"].tolist() == [predictor.classes[index] for index in best]


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 16, 16, 3)), np.zeros((16, 16, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8)],
    ids=["floats", "one", "another size"],
)
def test_other_arrays_are_refused(images: np.ndarray, client: Client) -> None:
    with pytest.raises(UsageError):
        client.infer(images)


def test_a_token_is_sent_and_its_absence_is_an_error_of_usage(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    with running([bundle], token_file=file, workers=1) as server:
        with Client(server.url, token=TOKEN) as client:
            assert client.predict(GOOD) == local(bundle, GOOD)
        for wrong in (None, "x" * 40):
            with Client(server.url, token=wrong) as client:
                assert client.ready(), "health needs no token"
                with pytest.raises(UsageError) as raised:
                    client.predict(GOOD)
                assert raised.value.code == "no_token"
                assert raised.value.exit_code == 2
                assert TOKEN not in str(raised.value)


def test_nobody_there_is_temporary_and_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}") as client:
        assert not client.ready()
        with pytest.raises(TemporaryError, match="does not answer") as raised:
            client.predict(GOOD)
    assert raised.value.code == "unreachable"
    assert raised.value.exit_code == 75


def test_who_never_answers_is_given_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        Client(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout=0.2) as client,
        pytest.raises(TemporaryError) as raised,
    ):
        client.models()
    assert raised.value.code == "unreachable"


def test_a_server_that_was_started_again_is_asked_again(bundle: Path) -> None:
    with running([bundle], workers=1, keep_alive=1) as server, Client(server.url) as client:
        expected = client.predict(GOOD)
        kept = client._connection._http.sock
        assert kept is not None
        assert kept.recv(1, socket.MSG_PEEK) == b"", "the server closes what is idle"
        assert client.predict(GOOD) == expected


class Scripted(BaseHTTPRequestHandler):
    """Answers with what stands in `answers`, and counts."""

    answers: ClassVar[list[tuple[int, dict[str, str], bytes]]] = []
    asked: ClassVar[list[str]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        status, headers, body = type(self).answers.pop(0)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[tuple[str, type[Scripted]]]:
    Scripted.answers, Scripted.asked = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Scripted) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", Scripted
        server.shutdown()


MODELS = b'{"models": [{"name": "a", "digest": "d", "classes": ["x"]}]}'
BUSY = b'{"code": "overloaded", "detail": "too much", "hint": null, "status": 503}'


@pytest.mark.parametrize("status", [429, 503])
def test_one_more_try_is_made_only_with_patience_and_only_when_the_server_says_when(
    status: int, scripted: tuple[str, type[Scripted]]
) -> None:
    url, script = scripted
    busy = (status, {"Retry-After": "0"}, BUSY)
    script.answers = [busy, (200, {}, MODELS)]
    with Client(url, patience=1) as client:
        assert client.models()[0].name == "a"

    late = (status, {"Retry-After": "9"}, BUSY)
    for answer, patience in ((busy, 0.0), ((status, {}, BUSY), 9.0), (late, 1.0)):
        script.answers, script.asked = [answer, (200, {}, MODELS)], []
        with (
            Client(url, patience=patience) as client,
            pytest.raises(TemporaryError, match="too much") as raised,
        ):
            client.models()
        assert raised.value.code == "overloaded"
        assert len(script.asked) == 1

    script.answers, script.asked = [busy, busy, (200, {}, MODELS)], []
    with Client(url, patience=1) as client, pytest.raises(TemporaryError):
        client.models()
    assert len(script.asked) == 2, "one more, and no third"


@pytest.mark.parametrize(
    ("status", "headers", "body", "code"),
    [
        (502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>", "http_502"),
        (500, {}, b'{"code": "internal", "detail": "a bug"}', "internal"),
        (500, {}, b"[" * 100_000, "http_500"),
        (418, {}, b'{"code": 7, "detail": 8}', "http_418"),
        (799, {}, b"", "http_799"),
        (200, {}, b"no json", "bad_answer"),
        (301, {"Location": "http://169.254.169.254/"}, b"", "http_301"),
    ],
)
def test_what_others_answer_is_an_error_with_a_code(
    status: int, headers: dict[str, str], body: bytes, code: str, scripted: tuple[str, type[Scripted]]
) -> None:
    url, script = scripted
    script.answers = [(status, headers, body)]
    with Client(url) as client, pytest.raises(FovealError) as raised:
        client.models()
    assert raised.value.code == code
    assert len(script.asked) == 1, "no redirection is followed"


def test_what_speaks_no_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 smtp.example ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with (
            Client(f"http://127.0.0.1:{other.getsockname()[1]}") as client,
            pytest.raises(FovealError) as raised,
        ):
            client.models()
        thread.join()
    assert raised.value.code == "bad_answer"


def test_settings_of_proxies_are_not_followed(
    client: Client, server: Server, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Client(server.url) as fresh:
        assert fresh.predict(GOOD) == local(bundle, GOOD)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://a",
        "http://",
        "http://a:b@c",
        "http://a?x=1",
        "http://a:99999",
        "http://a#b",
        "file:///x",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="address"):
        Client(url)


@pytest.mark.parametrize("token", ["", "two words", "né", "a\r\nX-Evil: 1"])
def test_what_is_no_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(UsageError, match="a token is one word"):
        Client("http://127.0.0.1", token=token)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_is_above_zero(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        Client("http://127.0.0.1", timeout=timeout)


def test_files_are_read_only_when_they_are_due(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for path in paths:
        path.write_bytes(GOOD)
    ask = client._connection.ask

    def noting(*arguments: Any, **named: Any) -> Any:
        paths[39].write_bytes(b"")  # while the first 32 are sent
        return ask(*arguments, **named)

    monkeypatch.setattr(client._connection, "ask", noting)
    *answers, last = client.predict(paths)

    assert all(isinstance(answer, Label) for answer in answers)
    assert isinstance(last, Unreadable), "it was read before it was needed"
    assert last.error.code == "empty"


def test_something_else_than_a_picture_is_an_error_of_usage(client: Client) -> None:
    with pytest.raises(UsageError, match="a picture is a path or the bytes"):
        client.predict([7])  # type: ignore[list-item]


def test_the_client_takes_neither_the_server_nor_an_engine_along() -> None:
    heavy = ("fastapi", "starlette", "uvicorn", "onnxruntime", "torch", "prometheus_client")
    program = f"import sys, foveal.serve.client; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
