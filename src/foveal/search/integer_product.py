"""Many integer dot products at once: how fast a matrix of bytes can be read is how long it takes.

numpy has no fast product of integers. ONNX Runtime does, for weights that it has brought into the order of
the processor's instructions once; the graph that asks for it has one node, and is written here byte by byte
(field numbers are those of onnx.proto3), because where pictures are searched there is no `onnx` package.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.engines.onnxruntime import quiet_options
from foveal.core import extras

Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
MOST = 127  # of a query's digits: on old processors two products of larger ones overflow 16 bits, silently
_BYTES, _NUMBER = 2, 0
_UINT8, _INT8, _INT32 = 2, 3, 6  # of onnx.TensorProto


class IntegerProduct:
    """A matrix of bytes that queries are multiplied with."""

    def __init__(self, rows: Int8) -> None:
        """Bring the matrix into the engine's order.

        Args:
            rows: int8 (N, P); up to two gigabytes.
        """
        options = quiet_options(1)
        options.add_session_config_entry("session.load_model_format", "ONNX")
        self._session: Any = extras.onnxruntime().InferenceSession(
            _graph(rows), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, digits: NDArray[np.uint8]) -> Int32:
        """Return the dot product of each row of digits with each row of the matrix, exact, int32 (M, N).

        Args:
            digits: uint8 (M, P) up to 127.
        """
        found: Int32 = self._session.run(["products"], {"digits": digits})[0]
        return found


def _graph(rows: Int8) -> bytes:
    count, width = rows.shape
    matrix = (
        _field(1, _varint(width) + _varint(count))  # dims, packed
        + _number(2, _INT8)
        + _field(8, b"rows")
        + _field(9, np.ascontiguousarray(rows.T).tobytes())
    )
    node = _field(1, b"digits") + _field(1, b"rows") + _field(2, b"products") + _field(4, b"MatMulInteger")
    graph = (
        _field(1, node)
        + _field(2, b"search")
        + _field(5, matrix)
        + _field(11, _value(b"digits", _UINT8, width))
        + _field(12, _value(b"products", _INT32, count))
    )
    opset = _number(2, 17)
    return _number(1, 8) + _field(7, graph) + _field(8, opset)


def _value(name: bytes, kind: int, width: int) -> bytes:
    """Return what is said of a tensor (M, width) with any M."""
    shape = _field(1, _field(2, b"M")) + _field(1, _number(1, width))
    return _field(1, name) + _field(2, _field(1, _number(1, kind) + _field(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _NUMBER) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
