"""What is where, drawn onto a picture: boxes with names, outlines, and the class of each pixel.

Colours are those of Okabe & Ito (2008) and, from the ninth class on, Tol's (2021), which people with any kind
of colour vision tell apart; beside a light line lies a dark one, and the reverse, so that they show anywhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from foveal.core.text import visible
from foveal.data.dataset import UInt8
from foveal.data.outline import Runs
from foveal.data.scene import VOID, Objects

PALETTE = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#332288",
    "#aa4499", "#117733", "#cc6677", "#44aa99", "#999933", "#882255", "#88ccee", "#ddcc77",
)  # fmt: skip
_IGNORED = (150, 150, 150)
_DARK, _LIGHT = (20, 20, 20), (255, 255, 255)
_FILL, _REGION = 0.38, 0.5  # how much of the colour lies over what is covered
_SMALLEST_REGION = 0.01  # share of the picture that a region needs for its name
_LONGEST_NAME = 28
_FEW = 12  # objects: of more of them a name that is larger than its object would hide others
_OVERLAP = 0.15  # of a name that others may cover

Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]


def colour_of(label: int) -> Colour:
    """Return the colour of a class as red, green and blue; the seventeenth has that of the first."""
    text = PALETTE[label % len(PALETTE)]
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def drawn(  # noqa: PLR0913 what a picture may have on it
    pixels: UInt8,
    classes: Sequence[str],
    *,
    objects: Objects | None = None,
    scores: NDArray[np.float32] | None = None,
    tracks: Sequence[int | None] = (),
    regions: UInt8 | None = None,
    longest: int | None = None,
) -> UInt8:
    """Return a picture with what is where on it.

    Args:
        pixels: uint8 (H, W, C), with C = 1 or 3.
        classes: Names in label order.
        objects: To be drawn; the outlines of those that have some, the boxes of others. What is ignored is
            grey.
        scores: How sure each object is, float32 (M,), from 0 to 1; None: nothing is said of that.
        tracks: Of a film the number of each object, M of them; none: nobody follows them.
        regions: Class of each pixel, uint8 (H, W); `VOID` stays as it is.
        longest: The longer side of what is returned, in pixels; None: that of the picture.

    Returns:
        uint8 (H', W', 3).
    """
    sheet = _Sheet.of(pixels, longest)
    if regions is not None:
        _draw_regions(sheet, regions, classes)
    if objects is not None and len(objects):
        names = _names(objects, classes, scores)
        if tracks:
            names = [
                name if number is None else f"#{number} {name}"
                for name, number in zip(names, tracks, strict=True)
            ]
        _draw_objects(sheet, objects, names)
    return np.asarray(sheet.image)


class _Sheet(NamedTuple):
    """The picture at the size that it is drawn in, and how much that is of its own."""

    image: Image.Image
    scale: tuple[float, float]
    source: tuple[int, int]  # height and width of the picture itself

    @classmethod
    def of(cls, pixels: UInt8, longest: int | None) -> "_Sheet":
        height, width = pixels.shape[:2]
        rgb = pixels if pixels.shape[2] == 3 else np.repeat(pixels[:, :, :1], 3, axis=2)
        factor = 1.0 if longest is None else longest / max(height, width)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        image = Image.fromarray(np.ascontiguousarray(rgb))
        if size != image.size:
            image = image.resize(size, Image.Resampling.BILINEAR if factor < 4 else Image.Resampling.NEAREST)
        return cls(image, (size[0] / width, size[1] / height), (height, width))

    @property
    def unit(self) -> int:
        """How thick a line is, in pixels."""
        return max(1, round(max(self.image.size) / 320))

    def scaled(self, box: NDArray[np.float32]) -> Box:
        across, down = self.scale
        left, top, right, bottom = (float(side) for side in box)
        return left * across, top * down, right * across, bottom * down

    def mask(self, mask: Mask) -> Mask:
        """Return a mask of the picture at the size of the sheet."""
        if mask.shape == self.image.size[::-1]:
            return mask
        grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(self.image.size, Image.Resampling.BILINEAR)
        return np.asarray(grey) > 127

    def blend(self, where: Mask, colour: Colour, share: float) -> None:
        """Lay a colour over a part of the sheet."""
        self.image.paste(colour, mask=Image.fromarray(where.astype(np.uint8) * round(255 * share)))


def _names(objects: Objects, classes: Sequence[str], scores: NDArray[np.float32] | None) -> list[str]:
    names = [_short(classes[label]) for label in objects.labels]
    if scores is None:
        return names if len(classes) > 1 else []  # of one class alone a name says nothing
    told = names if len(classes) > 1 else [""] * len(names)
    return [f"{name} {score:.0%}".strip() for name, score in zip(told, scores.tolist(), strict=True)]


def _short(name: str) -> str:
    name = visible(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _draw_objects(sheet: _Sheet, objects: Objects, names: Sequence[str]) -> None:
    """Draw objects, the largest first, so that none hides a smaller one; then names, where there is room."""
    left, top, right, bottom = objects.boxes.T
    order = np.argsort(-(right - left) * (bottom - top), kind="stable").tolist()
    colours = [
        _IGNORED if objects.ignored[k] else colour_of(int(objects.labels[k])) for k in range(len(objects))
    ]
    for k in order:
        if objects.outlines:
            outline = objects.outlines[k]
            size = (outline.height, outline.width) if isinstance(outline, Runs) else sheet.source
            _draw_mask(sheet, sheet.mask(outline.mask(*size)), colours[k])
        else:
            _draw_box(sheet, sheet.scaled(objects.boxes[k]), colours[k])
    if not names:
        return
    labels = _Labels(sheet)
    for k in order:
        box = sheet.scaled(objects.boxes[k])
        if len(order) <= _FEW or labels.fits(names[k], box):
            labels.put(names[k], box, colours[k])


def _draw_mask(sheet: _Sheet, mask: Mask, colour: Colour) -> None:
    sheet.blend(mask, colour, _FILL)
    edge = mask & ~_smaller(mask, sheet.unit + 1)
    sheet.blend(edge, _DARK, 0.65)
    sheet.blend(edge & ~(mask & ~_smaller(mask, 1)), colour, 1.0)


def _smaller(mask: Mask, by: int) -> Mask:
    """Return a mask without its outermost pixels; the edge of the picture is no edge of it."""
    for _ in range(by):
        padded = np.pad(mask, 1, mode="edge")
        mask = (
            mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        )  # fmt: skip
    return mask


def _draw_box(sheet: _Sheet, box: Box, colour: Colour) -> None:
    pen = ImageDraw.Draw(sheet.image)
    left, top, right, bottom = (round(side) for side in box)
    last = max(left, right - 1), max(top, bottom - 1)  # the sides are corners; the last pixel lies before
    width = sheet.unit + 1
    beside = _DARK if _is_light(colour) else _LIGHT
    pen.rectangle((left - 1, top - 1, last[0] + 1, last[1] + 1), outline=beside, width=1)
    pen.rectangle((left, top, *last), outline=colour, width=width)
    inner = (left + width, top + width, last[0] - width, last[1] - width)
    if inner[2] - inner[0] > 4 * width and inner[3] - inner[1] > 4 * width:
        pen.rectangle(inner, outline=beside, width=1)


class _Labels:
    """Names on a sheet, none of which covers much of another."""

    def __init__(self, sheet: _Sheet) -> None:
        self.sheet = sheet
        font = ImageFont.load_default(max(9, min(28, round(max(sheet.image.size) / 42))))
        assert isinstance(font, ImageFont.FreeTypeFont)  # where a size is asked for
        self.font = font
        self.taken: list[Box] = []

    def put(self, name: str, box: Box, colour: Colour) -> None:
        """Write a name above a box, in it, or below; nowhere where others are: its colour says as much."""
        width, height = self._size(name)
        if width > self.sheet.image.width or height > self.sheet.image.height:
            return
        left, top, right, bottom = box
        for x, y in ((left, top - height), (left, top), (right - width, top), (left, bottom)):
            if self._free(name, x, y, colour):
                return

    def fits(self, name: str, box: Box) -> bool:
        """Return whether a name covers no more than its object does."""
        width, height = self._size(name)
        return width * height <= (box[2] - box[0]) * (box[3] - box[1])

    def put_on(self, name: str, at: tuple[float, float], colour: Colour) -> None:
        """Write a name around a point, where there is room."""
        width, height = self._size(name)
        self._free(name, at[0] - width / 2, at[1] - height / 2, colour)

    def _size(self, name: str) -> tuple[float, float]:
        return self.font.getlength(name) + 6, sum(self.font.getmetrics()) + 1

    def _free(self, name: str, x: float, y: float, colour: Colour) -> bool:
        """Write a name at a place if that is free, and say so."""
        width, height = self._size(name)
        x = round(min(max(x, 0), self.sheet.image.width - width))
        y = round(min(max(y, 0), self.sheet.image.height - height))
        area = (x, y, x + width, y + height)
        if any(_common(area, other) > _OVERLAP * width * height for other in self.taken):
            return False
        self.taken.append(area)
        pen = ImageDraw.Draw(self.sheet.image)
        pen.rounded_rectangle(area, radius=2, fill=colour, outline=_DARK)
        pen.text((x + 3, y), name, font=self.font, fill=_DARK if _is_light(colour) else _LIGHT)
        return True


def _common(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, down)


def _is_light(colour: Colour) -> bool:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue > 125


def _draw_regions(sheet: _Sheet, regions: UInt8, classes: Sequence[str]) -> None:
    """Lay the colour of each class over its pixels, a line between classes, and names in the large ones."""
    small = np.asarray(Image.fromarray(regions).resize(sheet.image.size, Image.Resampling.NEAREST))
    there = [int(label) for label in np.unique(small) if label != VOID]
    for label in there:
        sheet.blend(small == label, colour_of(label), _REGION)
    edge = np.zeros(small.shape, dtype=bool)
    edge[:, 1:] |= small[:, 1:] != small[:, :-1]
    edge[1:] |= small[1:] != small[:-1]
    sheet.blend(edge, _LIGHT, 0.6)
    labels = _Labels(sheet)
    counts = {label: int((small == label).sum()) for label in there}
    for label in sorted(there, key=lambda label: -counts[label]):
        if counts[label] >= _SMALLEST_REGION * small.size:
            labels.put_on(_short(classes[label]), _deepest(small == label), colour_of(label))


def _deepest(mask: Mask) -> tuple[float, float]:
    """Return about the point of a mask, x and y, that lies farthest from its edge."""
    step = max(1, max(mask.shape) // 96)
    coarse = np.pad(mask[::step, ::step], 1)
    deepest = coarse
    while coarse.any():
        deepest = coarse
        inner = np.zeros_like(coarse)
        inner[1:-1, 1:-1] = (
            coarse[1:-1, 1:-1] & coarse[:-2, 1:-1] & coarse[2:, 1:-1] & coarse[1:-1, :-2] & coarse[1:-1, 2:]
        )
        coarse = inner
    rows, columns = np.nonzero(deepest)
    middle = len(rows) // 2
    return float((columns[middle] - 1) * step), float((rows[middle] - 1) * step)
