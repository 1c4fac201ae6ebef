"""Numbers out of an answer of the Open Inference Protocol v2, for who asked."""

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import FovealError

_TYPES = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8", "INT32": "<i4", "UINT8": "u1"}
_LENGTH = struct.Struct("<I")


def arrays(document: dict[str, Any], behind: bytes) -> dict[str, NDArray[Any]]:
    """Return the outputs of an answer by name: numbers in their type, names as texts.

    Args:
        document: The JSON of the answer.
        behind: The bytes that follow it, of those outputs that state a `binary_data_size`.

    Raises:
        FovealError: `bad_answer`: the shape, the type or the length of something does not fit.
    """
    found, at = {}, 0
    try:
        for output in document["outputs"]:
            size = output.get("parameters", {}).get("binary_data_size")
            found[output["name"]] = _array(output, None if size is None else behind[at : at + size])
            at += size or 0
    except (KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise FovealError(f"the server's tensors make no sense: {error}", code="bad_answer") from error
    return found


def _array(output: dict[str, Any], raw: bytes | None) -> NDArray[Any]:
    shape = tuple(output["shape"])
    if output["datatype"] == "BYTES":
        names = output["data"] if raw is None else _names(raw, math.prod(shape))
        return np.array(names, dtype=np.str_).reshape(shape)
    kind = np.dtype(_TYPES[output["datatype"]])
    if raw is None:
        return np.array(output["data"], dtype=kind).reshape(shape)
    return np.frombuffer(raw, kind).reshape(shape)


def _names(raw: bytes, count: int) -> list[str]:
    """Return texts that have their length in front of them."""
    found, at = [], 0
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size + length
        found.append(raw[at - length : at].decode())
    return found
