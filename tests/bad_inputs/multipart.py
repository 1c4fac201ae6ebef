"""Multipart forms, right and wrong."""

from collections.abc import Iterator

BOUNDARY = "0123456789abcdef"
_Form = tuple[str, str, bytes, tuple[int, ...]]


def form(*fields: tuple[str, bytes], end: bool = True, more: str = "") -> bytes:
    """Return a form with these fields; each has `more` in its disposition."""
    pieces = []
    for name, content in fields:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
        pieces += [head.encode(), content, b"\r\n"]
    return b"".join(pieces) + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


def forms(picture: bytes) -> Iterator[_Form]:
    """Yield name, content type, body and the statuses that may be answered."""
    usual = f"multipart/form-data; boundary={BOUNDARY}"
    one = form(("image", picture))
    yield "usual", usual, one, (200,)
    yield "no boundary", "multipart/form-data", one, (400,)
    yield "an empty boundary", "multipart/form-data; boundary=", one, (400,)
    yield "a boundary of 10 kB", "multipart/form-data; boundary=" + "b" * 10_000, one, (400, 431)
    yield "another boundary", "multipart/form-data; boundary=x", one, (400,)
    yield "10 000 parts", usual, form(*[("other", b"x")] * 10_000), (400, 413)
    yield "no last boundary", usual, form(("image", picture), end=False), (400,)
    yield "nothing", usual, b"", (400,)
    yield "only the last boundary", usual, f"--{BOUNDARY}--\r\n".encode(), (400,)
    yield "no picture", usual, form(("other", picture)), (400,)
    yield "a megabyte before it", usual, b"x" * 1_000_000 + b"\r\n" + one, (200, 400, 413)
    yield "a megabyte behind it", usual, one + b"x" * 1_000_000, (200, 400, 413)
    yield "lines of a megabyte", usual, form(("image", b"\r\n--" * 300_000)), (422,)
    head = "".join(f"X-{n}: {n}\r\n" for n in range(1_000)).encode()
    yield "1 000 headers of a part", usual, one.replace(b"\r\n\r\n", b"\r\n" + head + b"\r\n", 1), (400, 413)
    long = b"\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n"
    yield "a header of 100 kB", usual, one.replace(b"\r\n\r\n", long, 1), (400, 413)
    for name, filename in (
        ("leads outside", "../../../etc/cron.d/x"),
        ("absolute", "/etc/passwd"),
        ("of a device", "CON"),
        ("with a new line", "a\\r\\nb"),
        ("long", "a" * 255),
        ("of a smile", "\U0001f600.png"),
    ):
        body = form(("image", picture), more=f'; filename="{filename}"')
        yield f"a file name that is {name}", usual, body, (200,)
    coded = one.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1)
    yield "base64 inside", usual, coded, (200, 400, 415)
    yield "in a form of a form", usual, form(("image", one)), (422,)
