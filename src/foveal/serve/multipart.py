"""The pictures in a multipart form, and the templates that they are compared with."""

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from foveal.data.pair import joined
from foveal.serve.problems import HttpError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "image"
TEMPLATE = "template"
_MOST_PARTS = 64  # with fields that are no pictures
_MOST_HEAD = 4096  # bytes of the headers of one part
_LONGEST_BOUNDARY = 70  # RFC 2046


class _Form:
    """What the parser calls while it goes through a body."""

    def __init__(self, most: int) -> None:
        self.pictures: list[bytes] = []
        self.templates: list[bytes] = []
        self.ended = False
        self._most = most
        self._parts = self._head = 0
        self._name, self._value = b"", b""
        self._disposition = b""
        self._data: list[bytes] = []

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self.on_part_begin,
            "on_part_data": self.on_part_data,
            "on_part_end": self.on_part_end,
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_end": self.on_end,
        }

    def on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise HttpError("bad_multipart", f"a form may have {_MOST_PARTS} parts")
        self._head, self._disposition, self._data = 0, b"", []

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def on_part_end(self) -> None:
        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if kind != b"form-data" or name not in (FIELD.encode(), TEMPLATE.encode()):
            return
        files = self.pictures if name == FIELD.encode() else self.templates
        files.append(b"".join(self._data))
        if len(files) > self._most:
            raise HttpError(
                "too_many_pictures",
                f"pictures in a request here: {self._most} at most",
                hint="send the others in further requests",
            )

    def on_end(self) -> None:
        self.ended = True

    def _count(self, length: int) -> None:
        self._head += length
        if self._head > _MOST_HEAD:
            raise HttpError("bad_multipart", f"the headers of a part may have {_MOST_HEAD} bytes")


def pictures_of(body: bytes, content_type: str, *, most: int) -> list[bytes]:
    """Return the contents of the fields `image`, in their order; with a field `template`, pairs.

    One template is that of all pictures; of several each belongs to one picture, in their order.

    Args:
        body: The form.
        content_type: With its boundary.
        most: Pictures that there may be.

    Raises:
        HttpError: `bad_multipart`, `too_many_pictures`.
    """
    _, options = parse_options_header(content_type.encode("latin-1"))
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= _LONGEST_BOUNDARY:
        raise HttpError("bad_multipart", f"a boundary has 1 to {_LONGEST_BOUNDARY} letters")
    form = _Form(most)
    parser = MultipartParser(boundary, form.callbacks())
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise HttpError("bad_multipart", "this is no multipart form") from None
    if not form.ended:
        raise HttpError("bad_multipart", "the form's last boundary is missing")
    if not form.pictures:
        hint = f"call the field of each picture {FIELD}: curl -F {FIELD}=@a.jpg"
        raise HttpError("bad_multipart", f"the form has no field {FIELD!r}", hint=hint)
    return _paired(form.pictures, form.templates) if form.templates else form.pictures


def _paired(pictures: list[bytes], templates: list[bytes]) -> list[bytes]:
    if len(templates) not in (1, len(pictures)):
        raise HttpError(
            "bad_multipart",
            f"{len(pictures)} pictures and {len(templates)} templates",
            hint=f"send one {TEMPLATE} for all, or one for each {FIELD}",
        )
    several = templates * len(pictures) if len(templates) == 1 else templates
    return [joined(picture, template) for picture, template in zip(pictures, several, strict=True)]
