"""Refuse an ONNX graph that reaches outside itself, before any engine sees it.

Only the wire format of protocol buffers is read, with no schema compiler and no `onnx` package: a message
is a row of (field number, value). Field numbers are those of onnx.proto3.
"""

from collections.abc import Iterator

from foveal.core.errors import BundleError

_DEPTH, _FIELDS = 16, 2_000_000  # far above any real graph: a crafted one ends here instead of in a hang
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DOMAINS = (b"", b"ai.onnx")

Value = int | memoryview

# Message → field number → message it holds. What is not listed is of no interest.
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 10: "tensor", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}


def check_graph(model: bytes) -> None:
    """Return if a serialized model stands alone: all weights inside, standard operators, no control flow.

    Raises:
        BundleError: Code `bad_graph`; it is no ONNX model, names another file for its weights, has an
            operator outside the standard domain, its own functions, or a loop or branch.
    """
    if _Walk().message("model", memoryview(model), 0) == 0:
        raise _refused("it holds no graph")


class _Walk:
    """One pass over a model, counting what it has looked at."""

    def __init__(self) -> None:
        self.fields = 0

    def message(self, kind: str, content: memoryview, depth: int) -> int:
        """Look at one message and all it holds; return how many messages those were."""
        if depth > _DEPTH:
            raise _unreadable("messages are nested too deeply")
        inside = _INSIDE.get(kind, {})
        count = 0
        for field, value in _fields(content):
            self.fields += 1
            if self.fields > _FIELDS:
                raise _unreadable("it has too many parts")
            _check(kind, field, value)
            if field in inside:
                if not isinstance(value, memoryview):
                    raise _unreadable(f"field {field} of a {kind} is no message")
                count += 1 + self.message(inside[field], value, depth + 1)
        return count


def _check(kind: str, field: int, value: Value) -> None:
    if kind == "tensor" and (field == 13 or (field == 14 and value != 0)):
        raise _refused("its weights lie in another file; a bundle's graph must hold them itself")
    if kind == "node" and field == 7 and isinstance(value, memoryview) and bytes(value) not in _DOMAINS:
        raise _refused(f"it has an operator from {_text(value)!r}; only the standard ones are allowed")
    if kind == "model" and field == 25:
        raise _refused("it defines functions of its own; only the standard operators are allowed")
    if kind == "attribute" and field in (6, 11):
        raise _refused("it has a loop or a branch; a recognizer's graph runs straight through")


def _fields(content: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield field number and value of one message, checking every length."""
    offset = 0
    while offset < len(content):
        key, offset = _varint(content, offset)
        field, wire = key >> 3, key & 7
        value: Value
        if wire == _VARINT:
            value, offset = _varint(content, offset)
        elif wire == _BYTES:
            length, offset = _varint(content, offset)
            value, offset = content[offset : offset + length], offset + length
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
            value, offset = content[offset : offset + length], offset + length
        else:
            raise _unreadable(f"wire type {wire}")
        if field == 0 or offset > len(content):
            raise _unreadable("a field is cut short")
        yield field, value


def _varint(content: memoryview, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if offset >= len(content):
            raise _unreadable("a field is cut short")
        byte = content[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
    raise _unreadable("a number is too long")


def _text(value: memoryview) -> str:
    return bytes(value[:80]).decode("utf-8", "replace")


def _unreadable(what: str) -> BundleError:
    return _refused(f"it is not a readable ONNX file: {what}")


def _refused(what: str) -> BundleError:
    return BundleError(
        f"the model in the bundle cannot be used: {what}",
        code="bad_graph",
        hint="it is no bundle of foveal train",
    )
