"""From any stored colours to 8-bit grey or RGB."""

import numpy as np
from PIL import Image

from foveal.core.errors import ImageError

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"})
_WITH_ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_PLAIN = frozenset({"1", "L", "P", "RGB", "CMYK", "YCbCr"})
_PAPER = "white"


def to_channels(image: Image.Image, channels: int) -> Image.Image:
    """Return the picture as mode L (1 channel) or RGB (3), 8 bits each.

    16-bit grey keeps its high byte, transparent pixels lie on white, colour profiles and gamma chunks
    are ignored.

    Raises:
        ImageError: `color_unsupported`: floating point, or any other mode.
    """
    target = "L" if channels == 1 else "RGB"
    if image.mode == target and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        image = _high_byte(image)
    elif image.mode in _WITH_ALPHA or (image.mode in _PLAIN and "transparency" in image.info):
        image = _on_paper(image)
    elif image.mode not in _PLAIN:
        raise ImageError(f"pictures of mode {image.mode!r} are not read", code="color_unsupported")
    if image.mode == "CMYK":
        image = image.convert("RGB")
    return image if image.mode == target else image.convert(target)


def _high_byte(image: Image.Image) -> Image.Image:
    values = np.asarray(image)  # uint16, or int32 with 16-bit values
    grey = (values.astype(np.int32) >> 8).clip(0, 255).astype(np.uint8)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[values == clear] = 255
    return Image.fromarray(grey)


def _on_paper(image: Image.Image) -> Image.Image:
    picture = image.convert("RGBA")
    paper = Image.new("RGB", picture.size, _PAPER)
    paper.paste(picture, mask=picture.getchannel("A"))
    return paper
