"""Rows 54 to 73: conversations with a server, byte by byte, as no client library would hold them."""

import base64
import json
from collections.abc import Callable, Iterator
from functools import partial

from bad_inputs.made import encoded, photo
from bad_inputs.multipart import BOUNDARY, form, forms
from bad_inputs.row import Row, Talk

PICTURE = encoded(photo(), "JPEG")
INFER = "/v2/models/colors/infer"
_FAULTS = "tests/serve/test_faults.py::"
_TALKS = "tests/serve/test_bad_inputs_http.py::"
TOKEN = "a-token-of-more-than-128-bits-for-tests"

_Pieces = Callable[[], Iterator[bytes]]


def request(
    body: bytes = b"", *fields: str, method: str = "POST", path: str = "/v1/predict", length: bool = True
) -> bytes:
    """Return a request to a server at localhost."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    if length and body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def talk(name: str, sent: bytes | _Pieces, *statuses: int, code: str | None = None) -> Talk:
    """Return a conversation; bytes are sent in one piece."""
    pieces = sent if callable(sent) else partial(iter, (sent,))
    return Talk(name, pieces, frozenset(statuses), code)


def lengths() -> Iterator[Talk]:
    def said(length: str, body: bytes = PICTURE) -> bytes:
        return request(b"", f"Content-Length: {length}") + body

    yield talk("none", request(PICTURE, length=False), 400, 411, 422)
    yield talk("a word", said("many"), 400)
    yield talk("negative", said("-1"), 400)
    yield talk("in powers of ten", said("1e9"), 400)
    yield talk("signed", said("+5"), 400)
    yield talk("a thousand digits", said("9" * 1000), 400, 413)
    yield talk("a gigabyte", said("1000000000"), 413)
    twice = request(b"", "Content-Length: 5", "Content-Length: 5")
    yield talk("twice the same", twice + PICTURE[:5], 400, 422)
    yield talk("two of them", request(b"", "Content-Length: 5", "Content-Length: 6") + PICTURE, 400)
    yield talk("less than there is", said("300"), 400, 422)
    both = request(b"", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n"
    yield talk("beside chunks", both, 400)


def chunks() -> Iterator[Talk]:
    start = request(b"", "Transfer-Encoding: chunked", "Content-Type: image/jpeg")

    def many(count: int) -> Iterator[bytes]:
        yield start
        for _ in range(count // 1000):
            yield b"6\r\nabcdef\r\n" * 1000
        yield b"0\r\n\r\n"

    yield talk("100 000 of six bytes", partial(many, 100_000), 422, code="not_image")
    yield talk("more than allowed, six bytes at a time", partial(many, 3_000_000), 413, code="body_too_large")
    yield talk("a size that is none", start + b"xyz\r\nabc\r\n0\r\n\r\n", 400)
    yield talk("a negative size", start + b"-5\r\nabcde\r\n0\r\n\r\n", 400)
    yield talk("a size beyond 64 bits", start + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400)
    named = b"%x;a=b\r\n" % len(PICTURE) + PICTURE + b"\r\n0\r\n\r\n"
    yield talk("an extension", start + named, 200, 400)
    long = b"%x;" % len(PICTURE) + b"a" * 100_000 + b"\r\n" + PICTURE + b"\r\n0\r\n\r\n"
    yield talk("a long extension", start + long, 200, 400, 413, 431)
    twice = request(b"", "Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n"
    yield talk("coded twice", twice, 400, 415, 422, 501)


def encodings() -> Iterator[Talk]:
    for name in ("gzip", "deflate", "br", "zstd", "x-unknown", "identity, gzip"):
        yield talk(name, request(PICTURE, f"Content-Encoding: {name}"), 415, code="encoding_not_allowed")


def slow() -> Iterator[Talk]:
    yield talk("a head that never ends", b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n", 0, 408)
    yield talk("nothing at all", b"", 0, 408)
    half = request(b"", f"Content-Length: {len(PICTURE)}") + PICTURE[: len(PICTURE) // 2]
    yield talk("a body that never ends", half, 408, code="slow_body")


def heads() -> Iterator[Talk]:
    yield talk("20 000 bytes", request(PICTURE, "X-A: " + "a" * 20_000), 400, 431)
    yield talk("a megabyte", request(PICTURE, "X-A: " + "a" * 1_000_000), 400, 431)
    yield talk("1 000 headers", request(PICTURE, *(f"X-{n}: {n}" for n in range(1_000))), 400, 431)
    yield talk("NUL", request(PICTURE, "X-A: a\0b"), 400)
    yield talk("a bare line feed", request(PICTURE, "X-A: a\nX-B: b"), 200, 400)
    yield talk("a bare carriage return", request(PICTURE, "X-A: a\rX-B: b"), 400)
    yield talk("no colon", request(PICTURE, "nonsense"), 400)
    yield talk("a space before the colon", request(PICTURE, "X-A : a"), 400)
    yield talk("a folded line", request(PICTURE, "X-A: a", " b"), 200, 400)
    yield talk("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 0, 400)
    yield talk("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30), 0, 400, 405, 505)
    yield talk("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 0, 400, 505)


def addresses() -> Iterator[Talk]:
    yield talk("no Host", b"GET /v1/models HTTP/1.1\r\n\r\n", 200, 400)
    for name, path in (
        ("two slashes", "//v2"),
        ("dots", "/v2/../admin"),
        ("dots, quoted", "/%2e%2e/%2e%2e/etc/passwd"),
        ("NUL", "/%00"),
        ("NUL behind a true one", "/v1/models%00"),
        ("backslash", "/v2\\..\\admin"),
        ("not UTF-8", "/%ff%fe"),
        ("a slash more", "/v1/models/"),
        ("large letters", "/V1/MODELS"),
        ("8 kB", "/" + "a" * 8_192),
        ("a model that leads outside", "/v2/models/..%2f..%2fetc/ready"),
    ):
        yield talk(name, request(method="GET", path=path), 400, 404, 414, 431)
    yield talk("a name that leads outside", request(PICTURE, path="/v1/predict?model=../../x"), 404)
    twice = request(PICTURE, path="/v1/predict?model=colors&model=b")
    yield talk("a model twice", twice, 400, code="bad_request")
    mistyped = request(PICTURE, path="/v1/predict?modell=b")
    yield talk("a parameter of nobody", mistyped, 400, code="unknown_parameter")
    other = "http://evil.example/v1/models"
    yield talk("of another server", request(method="GET", path=other), 200, 400, 404)
    yield talk("not quoted", b"GET /v1 models HTTP/1.1\r\nHost: localhost\r\n\r\n", 400)


def methods() -> Iterator[Talk]:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"):
        yield talk(method, request(method=method), 400, 405)
    yield talk("CONNECT", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 0, 400, 404, 405)
    yield talk("small letters", request(PICTURE, method="post"), 400, 405)
    yield talk("of nobody", request(PICTURE, method="FROB"), 400, 405)


def _json(content: bytes, kind: str = "application/json") -> bytes:
    return request(content, f"Content-Type: {kind}", path=INFER)


def documents() -> Iterator[Talk]:
    good = {"inputs": [tensor()]}
    text = json.dumps(good).encode()
    for name, content in (
        ("nothing", b""),
        ("no JSON", b"{inputs}"),
        ("10 000 deep", b"[" * 10_000 + b"]" * 10_000),
        ("10 000 deep, as data", text.replace(b'"data": [', b'"data": [' + b"[" * 10_000, 1)),
        ("not a number", text.replace(b'"data": [0', b'"data": [NaN', 1)),
        ("infinity", text.replace(b'"data": [0', b'"data": [Infinity', 1)),
        ("a number of 10⁶ digits", text.replace(b'"data": [0', b'"data": [' + b"9" * 1_000_000, 1)),
        ("1e999", text.replace(b'"data": [0', b'"data": [1e999', 1)),
        ("UTF-16", text.decode().encode("utf-16")),
        ("half a letter", text.replace(b'"images"', b'"\\ud800"')),
        ("a mark of byte order", b"\xef\xbb\xbf" + text),
        ("more behind it", text + b"{}"),
        ("a list", json.dumps([good]).encode()),
        ("a number", b"7"),
        ("null", b"null"),
        ("not UTF-8", text.replace(b"images", b"im\xffges")),
    ):
        yield talk(name, _json(content), 400)
    yield talk("a key twice", _json(b'{"inputs": [], ' + text[1:]), 200, 400)
    yield talk("another type", _json(text, "text/plain"), 200, 400, 415)


def tensor(side: int = 16, **changes: object) -> dict[str, object]:
    """Return an input of the Open Inference Protocol: one black picture."""
    data = [0] * (side * side * 3)
    return {"name": "images", "datatype": "UINT8", "shape": [1, side, side, 3], "data": data, **changes}


def tensors() -> Iterator[Talk]:
    for name, inputs in (
        ("none", []),
        ("beyond 2⁶⁴", [tensor(shape=[2**32, 2**32, 2, 2])]),
        ("beyond any number", [tensor(shape=[10**300, 16, 16, 3])]),
        ("negative", [tensor(shape=[-1, 16, 16, 3])]),
        ("two negative", [tensor(shape=[-1, -16, 16, 3])]),
        ("zero", [tensor(shape=[0, 16, 16, 3])]),
        ("fractions", [tensor(shape=[1.5, 16, 16, 3])]),
        ("truth values", [tensor(shape=[True, 16, 16, 3])]),
        ("words", [tensor(shape=["1", 16, 16, 3])]),
        ("no shape", [{k: v for k, v in tensor().items() if k != "shape"}]),
        ("too few values", [tensor(shape=[2, 16, 16, 3])]),
        ("too many values", [tensor(data=[0] * 4000)]),
        ("another size", [tensor(side=8)]),
        ("another order", [tensor(shape=[1, 3, 16, 16])]),
        ("another type", [tensor(datatype="FP32")]),
        ("a type of nobody", [tensor(datatype="FP7")]),
        ("no name", [tensor(name="pixels")]),
        ("twice", [tensor(), tensor()]),
        ("10⁵ of them", [tensor(name=str(n), shape=[0], data=[]) for n in range(10**5)]),
        ("values beyond 255", [tensor(data=[256] * 768)]),
        ("negative values", [tensor(data=[-1] * 768)]),
        ("fractions as values", [tensor(data=[0.5] * 768)]),
        ("words as values", [tensor(data=["0"] * 768)]),
        ("truth values as values", [tensor(data=[True] * 768)]),
        ("nothing as values", [tensor(data=[None] * 768)]),
        ("an object as values", [tensor(data={})]),
    ):
        yield talk(name, _json(json.dumps({"inputs": inputs}).encode()), 400)
    asked = {"inputs": [tensor()], "outputs": [{"name": "secrets"}]}
    yield talk("an output of nobody", _json(json.dumps(asked).encode()), 400)
    yield talk("inputs that are none", _json(b'{"inputs": {"name": "images"}}'), 400)
    for size in ("-1", "9" * 30, "many", "5"):
        field = f"Inference-Header-Content-Length: {size}"
        body = json.dumps({"inputs": [tensor()]}).encode()
        yield talk(f"a header of {size}", request(body, field, path=INFER), 400, 415, 501)


def base64s() -> Iterator[Talk]:
    text = base64.b64encode(PICTURE).decode()
    usual = text.rstrip("=")
    for name, data in (
        ("no padding", usual if usual != text else text[:-1]),
        ("too much padding", text + "===="),
        ("letters of another alphabet", "-_" + text[2:]),
        ("an address", "data:image/jpeg;base64," + text),
        ("a letter beyond ASCII", "é" + text[1:]),
        ("a number", 7),
        ("nothing", None),
    ):
        one = tensor(datatype="BYTES", shape=[1], data=[data])
        yield talk(name, _json(json.dumps({"inputs": [one]}).encode()), 400)
    spaced = tensor(datatype="BYTES", shape=[1], data=[text[:20] + "\n " + text[20:]])
    yield talk("white space", _json(json.dumps({"inputs": [spaced]}).encode()), 200, 400)
    empty = tensor(datatype="BYTES", shape=[1], data=[""])
    yield talk("nothing in it", _json(json.dumps({"inputs": [empty]}).encode()), 400, 422)

    def large() -> Iterator[bytes]:
        start = b'{"inputs": [{"name": "images", "datatype": "BYTES", "shape": [1], "data": ["'
        yield request(b"", f"Content-Length: {len(start) + 100_000_000}", path=INFER) + start
        for _ in range(100):
            yield b"A" * 1_000_000

    yield talk("100 MB", large, 413)


def multiparts() -> Iterator[Talk]:
    for name, kind, body, statuses in forms(PICTURE):
        yield talk(name, request(body, f"Content-Type: {kind}"), *statuses)


def urlencoded() -> Iterator[Talk]:
    flood = b"&".join(b"a%d=b" % n for n in range(100_000))
    kind = "Content-Type: application/x-www-form-urlencoded"
    yield talk("100 000 fields", request(flood, kind), 415, code="type_not_allowed")


def urls() -> Iterator[Talk]:
    for url in (
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "http://127.0.0.1\\@evil.example/",
    ):
        text = url.encode()
        yield talk(f"{url} as body", request(text), 400, 422)
        yield talk(f"{url} as text", request(text, "Content-Type: text/plain"), 400, 415)
        document = json.dumps({"image": url}).encode()
        yield talk(f"{url} in JSON", request(document, "Content-Type: application/json"), 400, 415)
        body = form(("url", text))
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
        yield talk(f"{url} in a form", request(body, kind), 400, 422)
        yield talk(f"{url} as a parameter", request(path=f"/v1/predict?url={url}"), 400, 422)


def strangers() -> Iterator[Talk]:
    """Requests to a server that has a token."""
    for name, fields in (
        ("none", ()),
        ("wrong", ("Authorization: Bearer " + "b" * 40,)),
        ("empty", ("Authorization: Bearer ",)),
        ("another scheme", (f"Authorization: Basic {TOKEN}",)),
        ("no scheme", (f"Authorization: {TOKEN}",)),
        ("twice", (f"Authorization: Bearer {TOKEN}", f"Authorization: Bearer {TOKEN}")),
        ("a letter more", (f"Authorization: Bearer {TOKEN}x",)),
        ("a letter less", (f"Authorization: Bearer {TOKEN[:-1]}",)),
        ("beyond ASCII", (f"Authorization: Bearer {TOKEN[:-1]}é",)),
        ("in a cookie", (f"Cookie: token={TOKEN}",)),
    ):
        yield talk(name, request(PICTURE, *fields), 401, code="no_token")
    yield talk("in the address", request(PICTURE, path=f"/v1/predict?token={TOKEN}"), 401, code="no_token")
    up = "/v2/health/live/../../../v1/models"
    for path in ("//v1/models", "/v1/models/", up, "/%76%31/models", "/docs/x"):
        yield talk(f"{path}", request(method="GET", path=path), 400, 401, 404)
    yield talk("absolute", request(method="GET", path="http://localhost/v1/models"), 400, 401, 404)
    yield talk("a large body", request(b"", "Content-Length: 10000000"), 401)


def counts() -> Iterator[Talk]:
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    for count, status in ((0, 400), (1, 200), (32, 200), (33, 400)):
        body = form(*[("image", PICTURE)] * count)
        yield talk(str(count), request(body, kind), status)


ROWS = (
    Row(54, "Content-Length", talks=lengths),
    Row(55, "chunks", talks=chunks),
    Row(56, "Content-Encoding", talks=encodings),
    Row(57, "clients that never finish", slowly=slow),
    Row(
        58,
        "clients that leave",
        covered=(_TALKS + "test_who_leaves_takes_nothing_along",),
    ),
    Row(59, "heads", talks=heads),
    Row(60, "addresses", talks=addresses),
    Row(61, "methods", talks=methods),
    Row(62, "JSON that is none", talks=documents),
    Row(63, "tensors that are none", talks=tensors),
    Row(64, "base64", talks=base64s),
    Row(65, "multipart forms", talks=multiparts),
    Row(66, "form-urlencoded", talks=urlencoded),
    Row(67, "addresses in the place of pictures", talks=urls),
    Row(68, "tokens", guarded=strangers),
    Row(
        69,
        "more than it can do",
        covered=(
            _TALKS + "test_a_flood_is_answered_or_refused",
            _FAULTS + "test_a_full_queue_refuses_at_once_and_health_answers_meanwhile",
        ),
    ),
    Row(70, "no picture, many, too many", talks=counts),
    Row(
        71,
        "a model that answers nonsense",
        covered=(_TALKS + "test_an_answer_that_is_no_number_is_an_error_in_json",),
    ),
    Row(
        72,
        "while it starts and ends",
        covered=(
            _TALKS + "test_what_was_begun_is_answered_while_the_server_ends",
            _FAULTS + "test_a_killed_worker_costs_its_own_requests_once_and_is_replaced",
            _FAULTS + "test_sigterm_under_load_answers_everything_that_was_let_in",
        ),
    ),
    Row(73, "names of classes", covered=("tests/serve/test_page.py::test_names_of_classes_stay_text",)),
)
