"""Tensors of the Open Inference Protocol v2: pictures out of a request, and numbers into an answer.

https://github.com/kserve/open-inference-protocol, with its extension `binary_tensor_data`: numbers behind
the JSON.
"""

import base64
import binascii
import json
import math
import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, NoReturn

import numpy as np

from foveal.bundle.inputs import UInt8
from foveal.bundle.session import Answers
from foveal.data.bands import Bands
from foveal.data.npy import npy_bytes
from foveal.serve.problems import HttpError
from foveal.serve.strict_json import json_object

INPUT = "images"
LABELS = "labels"  # of a classifier: the name of the most probable class, which no graph answers
_CLASSIFIES = ("probabilities", "logits")  # what of its answers the protocol gives
_KINDS = {"float32": ("FP32", "<f4"), "int64": ("INT64", "<i8"), "uint8": ("UINT8", "u1")}
_BANDS = {"uint16": ("UINT16", "<u2"), "int16": ("INT16", "<i2"), "float32": ("FP32", "<f4")}
_REQUEST = {"id", "parameters", "inputs", "outputs"}
_TENSOR = {"name", "shape", "datatype", "parameters", "data"}
_LONGEST_ID = 256
_LENGTH = struct.Struct("<I")


class Output(NamedTuple):
    """What is known of an output before anything is asked: its type, and its shape behind the pictures."""

    datatype: str
    sides: tuple[int, ...]


def outputs_of(answers: Answers) -> dict[str, Output]:
    """Return the outputs of a model by name, as it answered for some pictures.

    A classifier gives probabilities, logits and the name of a class; anything else what its graph answers.
    """
    told = _CLASSIFIES if _CLASSIFIES[0] in answers else tuple(answers)
    found = {
        name: Output(_KINDS[answers[name].dtype.name][0], tuple(answers[name].shape[1:])) for name in told
    }
    return {**found, LABELS: Output("BYTES", ())} if told is _CLASSIFIES else found


@dataclass(frozen=True)
class Question:
    """A request for inference.

    Attributes:
        id: The client's, or None.
        pictures: Pixels, uint8 (N, S, S, C); or the contents of N picture files, which values of bands are
            made, too.
        outputs: Names of what is asked for, and whether each is to come as bytes behind the JSON.
    """

    id: str | None
    pictures: UInt8 | list[bytes]
    outputs: dict[str, bool] = field(default_factory=dict)


def question(
    body: bytes,
    head: int | None,
    *,
    shape: tuple[int, ...],
    most: int,
    known: Collection[str],
    bands: Bands | None = None,
) -> Question:
    """Return what a request asks.

    Args:
        body: Of the request.
        head: How many of its bytes are JSON; None: all.
        shape: Of a picture that the model takes.
        most: Pictures in one request.
        known: Names of the model's outputs.
        bands: Of the model; None: it takes pictures that people look at.

    Raises:
        HttpError: `bad_json`, `bad_tensor`, `too_many_pictures`.
    """
    document = json_object(body if head is None else body[:head])
    raw = None if head is None else body[head:]
    _keys(document, _REQUEST, "the request")
    name = document.get("id")
    if name is not None and not (isinstance(name, str) and len(name) <= _LONGEST_ID):
        _bad("id is a text of at most 256 letters")
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        _bad(f"inputs holds one tensor, {INPUT!r}")
    pictures = _pictures(inputs[0], raw, shape, most, bands)
    return Question(name, pictures, _asked(document, known))


def answer(answers: Answers, asked: Question, *, model: str, version: str, classes: tuple[str, ...]) -> bytes:
    """Return the answer in one piece, for `parts`."""
    described, behind = [], []
    for name, binary in asked.outputs.items():
        values: list[Any]
        if name == LABELS and _CLASSIFIES[0] in answers:
            values = [classes[best] for best in answers[_CLASSIFIES[0]].argmax(axis=1)]
            shape, raw = [len(values)], b"".join(_counted(value.encode()) for value in values)
            kind = "BYTES"
        else:
            kind, stored = _KINDS[answers[name].dtype.name]
            array = np.ascontiguousarray(answers[name], dtype=stored)
            values = [] if binary else array.ravel().tolist()
            shape, raw = list(array.shape), array.tobytes() if binary else b""
        tensor: dict[str, Any] = {"name": name, "datatype": kind, "shape": shape}
        if binary:
            tensor["parameters"] = {"binary_data_size": len(raw)}
            behind.append(raw)
        else:
            tensor["data"] = values
        described.append(tensor)
    document = {"model_name": model, "model_version": version, "outputs": described}
    if asked.id is not None:
        document["id"] = asked.id
    head = json.dumps(document, allow_nan=False).encode()
    return b"".join((_LENGTH.pack(len(head)), head, *behind))


def parts(answer: bytes) -> tuple[int, bytes]:
    """Return how long the JSON of an answer is, and all of it with the bytes behind."""
    return _LENGTH.unpack_from(answer)[0], answer[_LENGTH.size :]


def _pictures(
    tensor: dict[str, Any], raw: bytes | None, shape: tuple[int, ...], most: int, bands: Bands | None
) -> UInt8 | list[bytes]:
    _keys(tensor, _TENSOR, "an input")
    if tensor.get("name") != INPUT:
        _bad(f"the input is called {INPUT!r}")
    sides = tensor.get("shape")
    if not isinstance(sides, list) or not sides or not all(type(s) is int and 0 < s < 2**31 for s in sides):
        _bad("shape is a list of positive whole numbers")
    if sides[0] > most:
        hint = "send the others in further requests"
        raise HttpError("too_many_pictures", f"pictures in a request here: {most} at most", hint=hint)
    size = _parameters(tensor).get("binary_data_size")
    if size is None:
        if raw:
            _bad("there are bytes behind the JSON that no tensor speaks of")
        raw = None
    elif raw is None or type(size) is not int or size != len(raw) or "data" in tensor:
        _bad("binary_data_size is the number of bytes behind the JSON, in place of data")
    kind = tensor.get("datatype")
    if kind == "UINT8" and sides[1:] == list(shape):
        return _pixels(tensor.get("data"), raw, sides)
    if kind == "BYTES" and len(sides) == 1:
        return _files(tensor.get("data"), raw, sides[0])
    wanted, more = ", ".join(map(str, shape)), ""
    if bands is not None and bands.kind in _BANDS:
        datatype, stored = _BANDS[bands.kind]
        if kind == datatype and len(sides) == 4 and sides[3] == shape[-1]:
            return _stacks(tensor.get("data"), raw, sides, stored)
        more = f", {datatype} [N, height, width, {shape[-1]}] as the camera gives it"
    return _bad(f"{INPUT!r} is UINT8 [N, {wanted}]{more}, or BYTES [N] with picture files in base64")


def _stacks(data: Any, raw: bytes | None, sides: list[int], stored: str) -> list[bytes]:
    """Return values of bands, of any height and width, as the NPY files that they could have been."""
    count = math.prod(sides)
    if raw is None:
        flat = _flat(data, sides)
        if not set(map(type, flat)) <= ({int} if stored[1] in "ui" else {int, float}):
            _bad("data holds numbers")
        try:
            values = np.array(flat, stored)
        except (ValueError, OverflowError):
            _bad("a value is beyond what its datatype holds")
    elif len(raw) != count * np.dtype(stored).itemsize:
        _bad(f"shape says {count} values and there are {len(raw)} bytes")
    else:
        values = np.frombuffer(raw, stored)
    if len(values) != count:
        _bad(f"shape says {count} values and there are {len(values)}")
    return [npy_bytes(one) for one in values.reshape(sides)]


def _pixels(data: Any, raw: bytes | None, sides: list[int]) -> UInt8:
    count = math.prod(sides)
    if raw is None:
        values = _flat(data, sides)
        if not set(map(type, values)) <= {int}:
            _bad("data holds whole numbers")
        try:
            raw = bytes(values)
        except (ValueError, OverflowError):
            _bad("a UINT8 is 0 to 255")
    if len(raw) != count:
        _bad(f"shape says {count} values and there are {len(raw)}")
    return np.frombuffer(raw, np.uint8).reshape(sides)


def _flat(data: Any, sides: list[int]) -> list[Any]:
    """Return values that come in one list, or in lists as nested as the shape."""
    if not isinstance(data, list):
        _bad("data is a list")
    if not data or not isinstance(data[0], list):
        return data
    level: list[Any] = [data]
    for side in sides:
        if not all(isinstance(part, list) and len(part) == side for part in level):
            _bad("data is not nested as shape says")
        level = list(chain.from_iterable(level))
    return level


def _files(data: Any, raw: bytes | None, count: int) -> list[bytes]:
    if raw is not None:
        files = _split(raw)
    elif not isinstance(data, list) or not all(isinstance(text, str) for text in data):
        _bad("data is a list of texts in base64")
    else:
        try:
            files = [_unpacked(text) for text in data]
        except (binascii.Error, ValueError):
            _bad("a text is no base64: letters, digits, + and /, padded with =, nothing else")
    if len(files) != count:
        _bad(f"shape says {count} pictures and there are {len(files)}")
    return files


def _unpacked(text: str) -> bytes:
    if len(text) % 4 or text.endswith("==="):  # which b64decode lets pass
        raise ValueError("padding")
    return base64.b64decode(text.encode("ascii"), validate=True)


def _split(raw: bytes) -> list[bytes]:
    """Return elements that have their length in front of them."""
    found, at = [], 0
    while at < len(raw):
        if len(raw) - at < _LENGTH.size:
            _bad("the last element is cut off")
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if len(raw) - at < length:
            _bad("the last element is cut off")
        found.append(raw[at : at + length])
        at += length
    return found


def _counted(text: bytes) -> bytes:
    return _LENGTH.pack(len(text)) + text


def _asked(document: dict[str, Any], known: Collection[str]) -> dict[str, bool]:
    binary = _parameters(document).get("binary_data_output", False) is True
    outputs = document.get("outputs")
    if outputs is None or outputs == []:
        return dict.fromkeys(known, binary)
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        _bad("outputs is a list of tensors")
    found: dict[str, bool] = {}
    for output in outputs:
        _keys(output, {"name", "parameters"}, "an output")
        name = output.get("name")
        if not isinstance(name, str) or name not in known or name in found:
            _bad(f"an output is one of {', '.join(known)}, each once")
        found[name] = _parameters(output).get("binary_data", binary) is True
    return found


def _parameters(document: dict[str, Any]) -> dict[str, Any]:
    found = document.get("parameters", {})
    if not isinstance(found, dict):
        _bad("parameters is an object")
    return found


def _keys(document: dict[str, Any], known: set[str], what: str) -> None:
    if not document.keys() <= known:
        _bad(f"{what} has no other keys than {', '.join(sorted(known))}")


def _bad(detail: str) -> NoReturn:
    raise HttpError("bad_tensor", detail)
