"""Refuse an ONNX graph that reaches outside itself, before any engine sees it.

Only the wire format of protocol buffers is read, with no schema compiler and no `onnx` package: a message
is a row of (field number, value). Field numbers are those of onnx.proto3.

What was looked at must be what the engine will run. Readers of protocol buffers disagree on bytes that no
writer makes: numbers longer than needed, tags above 32 bits, fields of an unexpected type or given twice. An
engine could find a node where this file found nothing, so all of these are refused, and so is every field
that is not listed here.
"""

from collections.abc import Iterator

from foveal.core.errors import BundleError

_DEPTH, _FIELDS = 16, 2_000_000  # far above any real graph: a crafted one ends here instead of in a hang
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DOMAINS = (b"", b"ai.onnx")
_ENGINES_OWN = b"ORTM"  # at offset 4: ONNX Runtime takes the bytes for its own format, whatever else they are

Value = int | memoryview

_WIRES = {"number": {_VARINT}, "float": {_FIXED32}, "double": {_FIXED64}}  # all else: a length, then bytes
# Message → field number → what it holds: a number, bytes that are of no interest, or a message to look into.
# A star: any number of times, numbers then also packed into bytes.
_KNOWN: dict[str, dict[int, str]] = {
    "model": {
        1: "number", 2: "bytes", 3: "bytes", 4: "bytes", 5: "number", 6: "bytes", 7: "graph", 8: "bytes*",
        14: "bytes*", 25: "bytes*",
    },
    "graph": {
        1: "node*", 2: "bytes", 5: "tensor*", 10: "bytes", 11: "bytes*", 12: "bytes*", 13: "bytes*",
        14: "bytes*", 15: "sparse*", 16: "bytes*",
    },
    "node": {
        1: "bytes*", 2: "bytes*", 3: "bytes", 4: "bytes", 5: "attribute*", 6: "bytes", 7: "bytes",
        8: "bytes", 9: "bytes*", 10: "bytes*",
    },
    "attribute": {
        1: "bytes", 2: "float", 3: "number", 4: "bytes", 5: "tensor", 6: "bytes", 7: "float*", 8: "number*",
        9: "bytes*", 10: "tensor*", 11: "bytes*", 13: "bytes", 14: "bytes", 15: "bytes*", 20: "number",
        21: "bytes", 22: "sparse", 23: "sparse*",
    },
    "tensor": {
        1: "number*", 2: "number", 3: "bytes", 4: "float*", 5: "number*", 6: "bytes*", 7: "number*",
        8: "bytes", 9: "bytes", 10: "double*", 11: "number*", 12: "bytes", 13: "bytes*", 14: "number",
        16: "bytes*",
    },
    "sparse": {1: "tensor", 2: "tensor", 3: "number*"},
}  # fmt: skip


def check_graph(model: bytes) -> None:
    """Return if a serialized model stands alone: all weights inside, standard operators, no control flow.

    Raises:
        BundleError: Code `bad_graph`; it is no ONNX model, not encoded in the one plain way, names another
            file for its weights, has an operator outside the standard domain, its own functions, or a loop
            or branch.
    """
    if model[4:8] == _ENGINES_OWN:
        raise _refused("it is in an engine's own format, not ONNX")
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
        seen: set[int] = set()
        count = 0
        for field, wire, value in _fields(content):
            self.fields += 1
            if self.fields > _FIELDS:
                raise _unreadable("it has too many parts")
            inside = _expected(kind, field, wire, again=field in seen)
            seen.add(field)
            _check(kind, field, value)
            if inside in _KNOWN and isinstance(value, memoryview):
                count += 1 + self.message(inside, value, depth + 1)
        return count


def _expected(kind: str, field: int, wire: int, *, again: bool) -> str:
    """Return what a field of a message holds, without the star, if it may be there in this form."""
    entry = _KNOWN[kind].get(field)
    if entry is None:
        raise _unreadable(f"field {field} of a {kind} is not known")
    inside, several = entry.removesuffix("*"), entry.endswith("*")
    wires = _WIRES.get(inside, {_BYTES})
    if wire not in wires and not (several and wire == _BYTES):
        raise _unreadable(f"field {field} of a {kind} has wire type {wire}")
    if again and not several:
        raise _unreadable(f"field {field} of a {kind} is given twice")
    return inside


def _check(kind: str, field: int, value: Value) -> None:
    if kind == "tensor" and (field == 13 or (field == 14 and value != 0)):
        raise _refused("its weights lie in another file; a bundle's graph must hold them itself")
    if kind == "node" and field == 7 and isinstance(value, memoryview) and bytes(value) not in _DOMAINS:
        raise _refused(f"it has an operator from {_text(value)!r}; only the standard ones are allowed")
    if kind == "model" and field == 25:
        raise _refused("it defines functions of its own; only the standard operators are allowed")
    if kind == "attribute" and field in (6, 11):
        raise _refused("it has a loop or a branch; a recognizer's graph runs straight through")


def _fields(content: memoryview) -> Iterator[tuple[int, int, Value]]:
    """Yield field number, wire type and value of one message's fields, checking every length."""
    offset = 0
    while offset < len(content):
        key, offset = _varint(content, offset, bits=32)
        field, wire = key >> 3, key & 7
        value: Value
        if wire == _VARINT:
            value, offset = _varint(content, offset, bits=64)
        elif wire == _BYTES:
            length, offset = _varint(content, offset, bits=32)
            value, offset = content[offset : offset + length], offset + length
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
            value, offset = content[offset : offset + length], offset + length
        else:
            raise _unreadable(f"wire type {wire}")
        if offset > len(content):
            raise _unreadable("a field is cut short")
        yield field, wire, value


def _varint(content: memoryview, offset: int, *, bits: int) -> tuple[int, int]:
    """Return the number at an offset and the offset behind it, if it is written as briefly as it can be."""
    value = 0
    for shift in range(0, bits, 7):
        if offset >= len(content):
            raise _unreadable("a field is cut short")
        byte = content[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> bits:  # readers drop what is above, each in its own way
                raise _unreadable(f"a number has more than {bits} bits")
            if byte == 0 and shift:
                raise _unreadable("a number is longer than it needs to be")
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
