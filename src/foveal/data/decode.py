"""From a file's bytes to pixels, for training, evaluation, the command line and the server alike.

The order is what makes it safe: length, signature (never the name), header against the limits, and only
then the pixels. Pillow's own guards are not relied on, and none of its settings is changed: any number
of threads may decode at once.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from foveal.core.errors import ImageError, UsageError
from foveal.data.dataset import Header, UInt8
from foveal.data.pixels import jpeg, png
from foveal.data.pixels.canvas import gif_canvas, webp_canvas
from foveal.data.pixels.color import GREY_MODES, to_channels
from foveal.data.pixels.orientation import orientation, swaps_sides, upright
from foveal.data.pixels.signature import picture_format


@dataclass(frozen=True)
class Limits:
    """What a picture may be at most, checked before its pixels are decoded.

    Attributes:
        content_bytes: Length of the file.
        pixels: Width times height.
        side: Width, and height.
        aspect: Longer side divided by shorter side.
        metadata_bytes: EXIF, colour profile, comments and thumbnails together.
        scans: Passes over a progressive JPEG; each takes the time of a whole picture, however short.
        run_bytes: A BMP that is packed in runs; Pillow unpacks them in Python, 3 MB in a second.
    """

    content_bytes: int = 16 * 2**20
    pixels: int = 50_000_000
    side: int = 16_384
    aspect: int = 200
    metadata_bytes: int = 2**20
    scans: int = 100
    run_bytes: int = 2**20


LIMITS = Limits()


_RUNS = (BmpImageFile.COMPRESSIONS["RLE8"], BmpImageFile.COMPRESSIONS["RLE4"])


class _Whole(io.BytesIO):
    """Bytes that raise where a decoder wants more than there are.

    Pillow can be told, anywhere in the process, to fill up what is missing; a picture that is partly grey
    must never be taken for one, so the file itself refuses.
    """

    ended = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = io.BytesIO.read(self, size)  # a picture is read in some forty pieces: super() would show
        if size and len(data) < size:
            self.ended = True
            if not data:
                raise EOFError("read past the end")
        return data


class _Jpeg(JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Nobody wants the resolution, and Pillow warns on a broken EXIF block while it looks for it."""


_READERS: dict[str, type[ImageFile]] = {
    "JPEG": _Jpeg,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
}
# What Pillow's readers raise on bytes they do not understand; anything else is a bug and stays visible.
_BROKEN = (OSError, SyntaxError, ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError)


def decode(content: bytes, channels: int, *, limits: Limits = LIMITS) -> UInt8:
    """Return the pixels of a picture, upright, uint8 (H, W, channels).

    JPEG (also the first picture of an MPO), PNG, WebP, BMP and GIF are read, of animations the first
    frame. EXIF orientation is applied; transparency lies on white; 16-bit grey keeps its high byte;
    colour profiles are ignored.

    Args:
        content: The file's bytes.
        channels: 1 for grey, 3 for RGB.
        limits: What is refused before decoding.

    Raises:
        ImageError: `empty`, `not_image`, `format_not_allowed`, `truncated`, `corrupt`, `too_many_bytes`,
            `too_many_pixels`, `aspect_limit`, `metadata_limit`, `scan_limit` or `color_unsupported`.
        UsageError: Another number of channels.
    """
    return examine(content, channels, limits=limits)[1]


def picture(content: bytes, channels: int, *, limits: Limits = LIMITS) -> Image.Image:
    """Return what `decode` does as a Pillow image of mode L or RGB; arguments and errors are the same."""
    return _unpack(content, channels, limits)[1]


def header(content: bytes, *, limits: Limits = LIMITS) -> Header:
    """Return format, upright size and stored mode without decoding; raises as `decode` does."""
    return _header(_open(content, limits))


def examine(content: bytes, channels: int, *, limits: Limits = LIMITS) -> tuple[Header, UInt8]:
    """Return header and pixels in one go; arguments and errors are those of `decode`."""
    about, image = _unpack(content, channels, limits)
    pixels = np.asarray(image)
    return about, pixels if channels == 3 else pixels[:, :, None]


def values(content: bytes, *, colours: bool = False, limits: Limits = LIMITS) -> NDArray[np.integer]:
    """Return what is stored in a map: numbers, not looks.

    Args:
        content: The bytes of a PNG, GIF or BMP; what loses values, as JPEG does, is no map.
        colours: Look numbers up in the palette, if there is one.
        limits: What is refused before decoding.

    Returns:
        Numbers of a palette or grey levels, uint8 or, of 16 bits, uint16 (H, W); of colours uint8 (H, W, 3).

    Raises:
        ImageError: As `decode`; also where it is no such file.
    """
    image = _open(content, limits)
    if image.format not in ("PNG", "GIF", "BMP"):
        raise ImageError(f"a {image.format} keeps no exact values; a map is a PNG", code="format_not_allowed")
    try:
        image.load()
        if isinstance(image, PngImageFile) and _may_lack_rows(image) and png.lacks_rows(png.walk(content)):
            raise ImageError("rows are missing at the end of the map", code="truncated")
        if image.mode in ("RGB", "RGBA") or (colours and image.mode in ("P", "PA")):
            return np.asarray(image.convert("RGB"))
        if image.mode.startswith("I"):
            return np.asarray(image).astype(np.uint16)
        found = np.asarray(image, dtype=np.uint8)
    except EOFError as error:
        raise ImageError("the file ends before the map does", code="truncated") from error
    except ImageError:
        raise
    except _BROKEN as error:
        raise ImageError(f"the map cannot be decoded: {error}", code=_reason(error)) from error
    return found[:, :, 0] if found.ndim == 3 else found  # of grey with transparency the grey


def _unpack(content: bytes, channels: int, limits: Limits) -> tuple[Header, Image.Image]:
    if channels not in (1, 3):
        raise UsageError(f"a picture file has 1 or 3 channels, grey or RGB; got channels={channels}")
    image = _open(content, limits)
    about = _header(image)
    try:
        image.load()
        lacking = isinstance(image, PngImageFile) and _may_lack_rows(image)
        if lacking and png.lacks_rows(png.walk(content)):
            raise ImageError("rows are missing at the end of the picture", code="truncated")
        return about, upright(to_channels(image, channels), _turn(image))  # metadata may be broken, too
    except EOFError as error:
        raise ImageError("the file ends before the picture does", code="truncated") from error
    except ImageError:
        raise
    except _BROKEN as error:
        raise ImageError(f"the pixels cannot be decoded: {error}", code=_reason(error)) from error


def _open(content: bytes, limits: Limits) -> ImageFile:
    if len(content) > limits.content_bytes:
        raise ImageError(
            f"{len(content)} bytes are more than the {limits.content_bytes} allowed", code="too_many_bytes"
        )
    kind = picture_format(content)
    if kind == "WebP":
        _check_size(*webp_canvas(content), limits)
    elif kind == "GIF":
        _check_size(*gif_canvas(content), limits)
    elif kind == "PNG":
        _check_metadata(png.walk(content).metadata_bytes, limits)  # Pillow would read all of it
        if b"acTL" in content:  # Pillow warns, or gives up, where the frames that nobody wants are broken
            content = png.still(content)
    file = _Whole(content)
    try:
        image = _READERS[kind](file)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"too many pixels: {error}", code="too_many_pixels") from error
    except (EOFError, *_BROKEN) as error:
        code = "truncated" if file.ended else _reason(error)
        raise ImageError(f"the {kind} header cannot be read: {error}", code=code) from error
    _check_size(image.width, image.height, limits)
    if isinstance(image, JpegImageFile):
        _check_metadata(sum(len(block) for _, block in image.applist), limits)
        # Counting bytes is fast and never too low; what lies in metadata or behind the picture is no scan.
        if content.count(b"\xff\xda") > limits.scans and jpeg.scans(content) > limits.scans:
            raise ImageError(f"a JPEG of more than {limits.scans} scans", code="scan_limit")
    if isinstance(image, BmpImageFile) and image.info["compression"] in _RUNS:
        _check_runs(len(content), limits)
    return image


def _check_runs(content_bytes: int, limits: Limits) -> None:
    if content_bytes > limits.run_bytes:
        raise ImageError(
            f"{content_bytes} bytes of a BMP packed in runs are more than the {limits.run_bytes} allowed",
            code="too_many_bytes",
            hint="save it without compression, or as PNG",
        )


def _check_metadata(metadata: int, limits: Limits) -> None:
    if metadata > limits.metadata_bytes:
        raise ImageError(
            f"{metadata} bytes of metadata are more than the {limits.metadata_bytes} allowed",
            code="metadata_limit",
            hint="save the picture again without metadata",
        )


def _check_size(width: int, height: int, limits: Limits) -> None:
    if min(width, height) < 1:
        raise ImageError(f"the header says {width}×{height} pixels", code="corrupt")
    if width * height > limits.pixels or max(width, height) > limits.side:
        raise ImageError(
            f"{width}×{height} pixels are more than the {limits.pixels} (side {limits.side}) allowed",
            code="too_many_pixels",
            hint="scale the picture down",
        )
    if max(width, height) > limits.aspect * min(width, height):
        raise ImageError(f"{width}×{height} is longer than {limits.aspect}:1", code="aspect_limit")


def _may_lack_rows(image: PngImageFile) -> bool:
    """Return whether the last row is all zeros, as rows that never came are, or came in passes."""
    if image.info.get("interlace"):
        return True
    width, height = image.size
    return not any(image.crop((0, height - 1, width, height)).tobytes())


def _reason(error: Exception) -> str:
    return "metadata_limit" if "too large for PngImagePlugin" in str(error) else "corrupt"


def _turn(image: ImageFile) -> int:
    exif = image.info.get("exif")
    return orientation(exif) if isinstance(exif, bytes) else 1


def _header(image: ImageFile) -> Header:
    width, height = image.size
    if swaps_sides(_turn(image)):
        width, height = height, width
    channels = 1 if image.mode in GREY_MODES else 3
    return Header(image.format or "", width, height, image.mode, channels)
