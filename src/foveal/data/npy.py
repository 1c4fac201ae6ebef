"""One array in NumPy's own format, read without believing its header and without running its content.

Source: NumPy Enhancement Proposal 1, versions 1.0 and 2.0; 3.0 is for names of fields, which are refused.
The header is a Python literal. NumPy's own reader warns, or fails in many ways, over forged ones.
"""

import ast
import io
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}
_LONGEST_HEADER = 10_000  # of an array without fields it has some 100 bytes
_PLAIN = re.compile(r"[<>|=][biufcSUVMm]\d*(\[\w+\])?")
_KEYS = {"descr", "fortran_order", "shape"}


def read_npy(data: bytes) -> NDArray[Any]:
    """Return the array, which shares the memory of `data` and cannot be written to.

    Raises:
        ValueError: It is no array, or one of Python objects or fields; the text says why.
    """
    size = _LENGTH_BYTES.get((data[6], data[7]) if len(data) > 8 else (0, 0))
    if not data.startswith(_MAGIC) or size is None:
        raise ValueError("is no array")
    start = 8 + size + int.from_bytes(data[8 : 8 + size], "little")
    if start > min(len(data), _LONGEST_HEADER):
        raise ValueError("is no array: its header is too long")
    dtype, shape, fortran = _header(data[8 + size : start])
    wanted, found = math.prod(shape) * dtype.itemsize, len(data) - start
    if wanted != found:
        raise ValueError(f"announces {shape} of {dtype}, but {found} bytes follow")
    flat = np.frombuffer(data, dtype=dtype, offset=start) if found else np.empty(0, dtype)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _header(text: bytes) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    try:
        found = ast.literal_eval(text.decode("latin-1").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("is no array: its header cannot be read") from None
    if not isinstance(found, dict) or set(found) != _KEYS or type(found["fortran_order"]) is not bool:
        raise ValueError("is no array: its header says something else")
    kind, shape = found["descr"], found["shape"]
    if (
        not isinstance(shape, tuple)
        or any(type(side) is not int or side < 0 for side in shape)
        or len(shape) > 32
    ):
        raise ValueError(f"is no array: its shape is {shape!r}"[:100])
    if isinstance(kind, str) and kind[1:2] == "O":
        raise ValueError("holds Python objects, which foveal never opens; save plain arrays")
    if not isinstance(kind, str) or not _PLAIN.fullmatch(kind):
        raise ValueError("holds neither numbers nor text, or several fields in one")
    try:
        dtype = np.dtype(kind)
    except (TypeError, ValueError):
        raise ValueError(f"is no array: there is no type {kind!r}"[:100]) from None
    if not dtype.itemsize:
        raise ValueError("holds values of no length")
    return dtype, shape, found["fortran_order"]


def npy_bytes(array: NDArray[Any]) -> bytes:
    """Return an array of numbers as the bytes of a file for `read_npy`; equal arrays give equal ones."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return file.getvalue()
