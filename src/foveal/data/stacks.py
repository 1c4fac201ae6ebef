"""Pictures of many bands as files: TIFF and NPY, from bytes to values.

As with other pictures the order is what makes it safe: length, signature (never the name), what the header
says against the limits, and only then the values. A TIFF is taken apart by tifffile (the extra `bands`),
which is imported when it is needed; no other file is opened, whatever its tags name.
"""

import io
import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core import extras
from foveal.core.errors import ImageError
from foveal.data.bands import KINDS, MOST, not_finite
from foveal.data.dataset import Header
from foveal.data.decode import LIMITS
from foveal.data.npy import read_npy
from foveal.data.suffixes import is_stack

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NPY = b"\x93NUMPY"
_PLAIN, _DEFLATED = 1, (8, 32946)  # compression, as TIFF numbers it
_DIFFERENCES = (1, 2)  # predictors: none, or the difference to the value on the left
_READ = (0, 1, 2)  # photometric: white or black is zero, RGB; values are taken as they are
_REDUCED, _MASK = 1, 4  # of NewSubfileType
_SILENT = logging.NullHandler()


@dataclass(frozen=True)
class StackLimits:
    """What a stack of bands may be at most, beside the sides and the aspect of any picture.

    Attributes:
        content_bytes: Length of the file.
        values: Width times height times bands.
    """

    content_bytes: int = 256 * 2**20
    values: int = 64 * 2**20


STACK_LIMITS = StackLimits()


def most_bytes(name: str) -> int:
    """Return how long a picture file of a name may be."""
    return STACK_LIMITS.content_bytes if is_stack(name) else LIMITS.content_bytes


def is_stacked(content: bytes) -> bool:
    """Return whether bytes begin as those of a TIFF or an NPY do."""
    return content.startswith((*_TIFF, _NPY))


def header(content: bytes, *, limits: StackLimits = STACK_LIMITS) -> Header:
    """Return format, size, bands and type of the values without decoding; raises as `read` does."""
    if _kind_of(content, limits) == "NPY":
        return _header_of("NPY", _array(content, limits))
    with _opened(content) as pages:
        shape, dtype = _shape(pages, limits)
    return Header("TIFF", shape[1], shape[0], f"{shape[2]} × {dtype.name}", shape[2], dtype.name)


def read(content: bytes, *, limits: StackLimits = STACK_LIMITS) -> NDArray[Any]:
    """Return the values of a stack, (H, W, C) of uint8, uint16, int16 or float32, in native byte order.

    An NPY holds (H, W, C) or (H, W). A TIFF holds its bands as samples of a page or as pages of one sample;
    smaller copies and masks among its pages are passed over, and orientation and colours play no part.

    Args:
        content: The file's bytes.
        limits: What is refused before decoding.

    Raises:
        ImageError: `empty`, `not_image`, `missing_extra`, `too_many_bytes`, `too_many_pixels`,
            `aspect_limit`, `too_many_bands`, `values_unsupported`, `color_unsupported`,
            `compression_unsupported`, `truncated`, `corrupt`, `not_finite`.
    """
    if _kind_of(content, limits) == "NPY":
        values = _array(content, limits)
    else:
        with _opened(content) as pages:
            _shape(pages, limits)
            for page in pages:
                _check_segments(page, content)
            values = _joined(pages)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise not_finite()
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _kind_of(content: bytes, limits: StackLimits) -> str:
    if not content:
        raise ImageError("the file is empty", code="empty", hint="copy or download it again")
    if len(content) > limits.content_bytes:
        raise ImageError(
            f"{len(content)} bytes are more than the {limits.content_bytes} allowed", code="too_many_bytes"
        )
    if not is_stacked(content):
        raise ImageError(
            "these bytes are no stack of bands", code="not_image", hint="give a TIFF or an NPY (H, W, bands)"
        )
    return "NPY" if content.startswith(_NPY) else "TIFF"


def _array(content: bytes, limits: StackLimits) -> NDArray[Any]:
    try:
        found = read_npy(content)
    except ValueError as error:
        raise ImageError(f"the NPY {error}", code="corrupt") from error
    if found.ndim not in (2, 3):
        raise ImageError(
            f"a stack of bands is (H, W, bands); this array is {found.shape}", code="values_unsupported"
        )
    shaped = found if found.ndim == 3 else found[:, :, None]
    _check((shaped.shape[0], shaped.shape[1], shaped.shape[2]), shaped.dtype, limits)
    return shaped


def _header_of(kind: str, values: NDArray[Any]) -> Header:
    height, width, bands = values.shape
    name = values.dtype.newbyteorder("=").name
    return Header(kind, width, height, f"{bands} × {name}", bands, name)


def _check(shape: tuple[int, int, int], dtype: np.dtype[Any], limits: StackLimits) -> None:
    height, width, bands = shape
    if min(shape) < 1:
        raise ImageError(f"the header says {width}×{height} pixels in {bands} bands", code="corrupt")
    if bands > MOST:
        raise ImageError(
            f"{bands} bands are more than the {MOST} allowed; the picture seems to be {width}×{height}",
            code="too_many_bands",
            hint="bands come last: array.transpose(1, 2, 0), in a TIFF with planarconfig='contig'",
        )
    if dtype.newbyteorder("=").name not in KINDS:
        raise ImageError(
            f"values of {dtype.name} are not read, only {', '.join(KINDS)}",
            code="values_unsupported",
            hint="array.astype('float32')",
        )
    if height * width * bands > limits.values or max(height, width) > LIMITS.side:
        raise ImageError(
            f"{width}×{height} pixels in {bands} bands are more than the {limits.values} values "
            f"(side {LIMITS.side}) allowed",
            code="too_many_pixels",
            hint="scale the picture down",
        )
    if max(height, width) > LIMITS.aspect * min(height, width):
        raise ImageError(f"{width}×{height} is longer than {LIMITS.aspect}:1", code="aspect_limit")


@contextmanager
def _opened(content: bytes) -> Iterator[list[Any]]:
    """Give the pages of a TIFF that may hold bands; whatever tifffile raises over them is an ImageError."""
    if extras.missing("bands"):
        raise ImageError(
            'a TIFF is read with the "bands" extra', code="missing_extra", hint='pip install "foveal[bands]"'
        )
    import tifffile

    logging.getLogger("tifffile").addHandler(_SILENT)  # else Python prints to stderr what it warns of
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            pages: list[Any] = list(islice(file.pages, 2 * MOST + 1))
            yield [page for page in pages if not int(page.subfiletype) & (_REDUCED | _MASK)]
    except ImageError:
        raise
    except Exception as error:  # a parser of its size has no list of what it raises on forged bytes
        raise ImageError(f"the TIFF cannot be read: {error}", code="corrupt") from error


def _shape(pages: list[Any], limits: StackLimits) -> tuple[tuple[int, int, int], np.dtype[Any]]:
    """Return (H, W, bands) and the type of the values, checked."""
    if not pages:
        raise ImageError("the TIFF holds no picture", code="corrupt")
    first = pages[0]
    if len(pages) > 1 and any(page.samplesperpixel != 1 for page in pages):
        raise ImageError("the TIFF holds several pictures", code="color_unsupported", hint="keep one of them")
    if first.dtype is None:
        raise ImageError(f"{first.bitspersample} bits a value are not read", code="values_unsupported")
    for page in pages:
        _check_page(page, first, limits)
    bands = first.samplesperpixel if len(pages) == 1 else len(pages)
    shape = (int(first.imagelength), int(first.imagewidth), int(bands))
    _check(shape, first.dtype, limits)
    return shape, first.dtype


def _check_page(page: Any, first: Any, limits: StackLimits) -> None:
    one, other = ((p.imagelength, p.imagewidth, p.dtype) for p in (page, first))
    if one != other or page.imagedepth != 1:
        raise ImageError("the bands of the TIFF differ in size or type", code="color_unsupported")
    if int(page.photometric) not in _READ:
        raise ImageError(
            f"a TIFF of {page.photometric!s} is no stack of bands",
            code="color_unsupported",
            hint="save it with photometric='minisblack'",
        )
    if int(page.compression) not in (_PLAIN, *_DEFLATED) or int(page.predictor) not in _DIFFERENCES:
        raise ImageError(
            f"a TIFF packed with {_named(page.compression)}, predictor {_named(page.predictor)}, is not read",
            code="compression_unsupported",
            hint="save it without compression, or with deflate: tiffcp -c zip IN.tif OUT.tif",
        )
    if math.prod(page.chunks) > limits.values:
        raise ImageError("the parts of the TIFF are too large", code="too_many_pixels")


def _named(tag: Any) -> str:
    return getattr(tag, "name", str(tag)).lower()


def _check_segments(page: Any, content: bytes) -> None:
    """Raise where a strip or tile is missing, cut off, or unpacks to another length than it should.

    Unpacking is bounded: a few bytes that become gigabytes are noticed before they do.
    """
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    wanted = list(_lengths(page))
    if len(parts) != len(wanted):
        raise ImageError(f"the TIFF has {len(parts)} parts where {len(wanted)} belong", code="corrupt")
    for (start, length), needed in zip(parts, wanted, strict=True):
        if start <= 0 or length <= 0 or start + length > len(content):
            raise ImageError("the file ends before the picture does", code="truncated")
        if int(page.compression) == _PLAIN:
            found = length
        else:
            unpacker = zlib.decompressobj()
            found = len(unpacker.decompress(content[start : start + length], needed + 1))
        if found < needed:
            raise ImageError("a part of the TIFF is too short", code="truncated")
        if found > needed and int(page.compression) != _PLAIN:
            raise ImageError("a part of the TIFF is too long", code="corrupt")


def _lengths(page: Any) -> Iterator[int]:
    """Yield how many bytes each strip or tile of a page has when it is unpacked."""
    planes = page.samplesperpixel if int(page.planarconfig) == 2 else 1
    per_pixel = page.samplesperpixel // planes * page.dtype.itemsize
    if page.is_tiled:
        down, across = -(-page.imagelength // page.tilelength), -(-page.imagewidth // page.tilewidth)
        yield from [page.tilelength * page.tilewidth * per_pixel] * (planes * down * across)
        return
    rows = min(page.rowsperstrip, page.imagelength)
    for _ in range(planes):
        for top in range(0, page.imagelength, rows):
            yield min(rows, page.imagelength - top) * page.imagewidth * per_pixel


def _joined(pages: list[Any]) -> NDArray[Any]:
    if len(pages) > 1:
        return np.stack([page.asarray(maxworkers=1) for page in pages], axis=-1)
    [page] = pages
    values = page.asarray(maxworkers=1)
    if values.ndim == 2:
        return np.asarray(values[:, :, None])
    return np.asarray(np.moveaxis(values, 0, 2) if int(page.planarconfig) == 2 else values)
