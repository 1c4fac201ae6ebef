"""The film with the answers drawn on it: `video:FILE.mp4`; needs the extra `video`."""

import math
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from foveal.core import files
from foveal.core.errors import UsageError, WriteError
from foveal.core.text import printable, visible
from foveal.core.types import Label, Sighting
from foveal.core.units import show_seconds
from foveal.data.decode import decode
from foveal.data.drawn_sighting import drawn_sighting
from foveal.stream.options import SinkOptions
from foveal.stream.outbox import Item
from foveal.stream.places import Counted
from foveal.stream.shown import Shown

EXTRA = "video"
PICTURES = True
LOCAL = True

_SUFFIXES = (".mp4", ".mkv")
_CODECS = ("libx264", "libopenh264", "mpeg4")  # the first that this PyAV has
_CLOCK = 1000  # ticks a second: frames keep the times they were captured at
_QUICK = {"libx264": {"preset": "ultrafast", "tune": "zerolatency", "crf": "23"}}
# Pieces that can each be played: what a killed process has written is a film.
_PIECES = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_AT_ONCE = {"flush_packets": "1"}
_PLACE = (255, 255, 255)
_INK = {False: (120, 255, 140), True: (255, 190, 90)}


def video(place: str, options: SinkOptions) -> "_Film":
    """Return what writes each answered frame into a film, with the answer and its age drawn on it.

    Of a classifier the answer is label and confidence; else what was found where, with the lines and areas at
    which it was counted.

    Raises:
        UsageError: Neither .mp4 nor .mkv.
        WriteError: The file is there and `options.force` is not given, or cannot be written.
    """
    path = Path(place)
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{printable(place)} is no name of a film", hint="video:answers.mp4, or .mkv")
    if files.is_there(path) and path.stat().st_size and not options.force:
        raise WriteError(f"{printable(place)} is there already", hint="--force replaces it", path=path)
    try:
        path.touch()
    except OSError as error:
        raise WriteError(f"cannot write {printable(place)}: {error.strerror}", path=path) from None
    return _Film(path, options.classes)


class _Film:
    """Takes its size from the first frame; frames of another size are scaled to it."""

    def __init__(self, path: Path, classes: Sequence[str]) -> None:
        self._path, self._classes = path, classes
        self._container: Any = None
        self._stream: Any = None
        self._last = -1

    room, patient, complete, limit = 8, True, False, math.inf

    def wanted(self, item: Item) -> Item | None:
        return item if isinstance(item, Shown) and isinstance(item.answer, Label | Sighting) else None

    def write(self, item: Item) -> None:
        import av

        if not isinstance(item, Shown) or item.picture is None:
            return
        pixels = decode(item.picture, 3) if isinstance(item.picture, bytes) else item.picture
        answer = item.answer
        if isinstance(answer, Sighting):
            pixels = drawn_sighting(answer, pixels, self._classes)
        image = Image.fromarray(np.ascontiguousarray(pixels))
        if item.counted is not None:
            _draw_places(image, item.counted)
        if self._container is None:
            self._begin(image.width, image.height)
        size = (self._stream.width, self._stream.height)
        if image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        if isinstance(answer, Label):
            _write_on(image, *_words(answer, item.age_ms))
        else:
            counts = [] if item.counted is None else item.counted.words()
            _write_on(image, "\n".join([show_seconds(item.age_ms / 1000), *counts]), False)
        frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
        self._last = frame.pts = max(self._last + 1, round(item.time_s * _CLOCK))
        frame.time_base = Fraction(1, _CLOCK)
        try:
            self._container.mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:
            raise self._error(error) from None

    def close(self) -> None:
        import av

        if self._container is None:
            return
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
        except av.error.FFmpegError as error:
            raise self._error(error) from None

    def _begin(self, width: int, height: int) -> None:
        import av

        codec = next(name for name in _CODECS if name in av.codecs_available)
        options = _AT_ONCE | (_PIECES if self._path.suffix.lower() == ".mp4" else {})
        try:
            container = av.open(f"file:{os.fspath(self._path)}", "w", options=options)
            stream: Any = container.add_stream(codec, rate=30, options=dict(_QUICK.get(codec, {})))
        except (av.error.FFmpegError, OSError) as error:
            raise self._error(error) from None
        stream.width, stream.height = max(2, width // 2 * 2), max(2, height // 2 * 2)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _CLOCK)
        stream.codec_context.gop_size = 30
        self._container, self._stream = container, stream

    def _error(self, error: Exception) -> WriteError:
        name = printable(str(self._path))
        return WriteError(f"cannot write {name}: {getattr(error, 'strerror', error)}", path=name)


_SHADE = 0.35  # of the light under words that is left


def _write_on(image: Image.Image, text: str, refused: bool) -> None:
    """Write lines into the upper left corner of a picture."""
    draw = ImageDraw.Draw(image)
    lines = text.count("\n") + 1
    height = max(10, image.height // (24 if lines == 1 else 32))
    font = ImageFont.load_default(height)
    box = draw.textbbox((height // 2, height // 2), text, font=font)
    margin = height // 4
    left, top, right, bottom = map(round, box)
    under = (left - margin, top - margin, right + margin + 1, bottom + margin + 1)
    image.paste(image.crop(under).point(lambda value: value * _SHADE), under[:2])  # it stays seen
    draw.text((height // 2, height // 2), text, fill=_INK[refused], font=font)


def _draw_places(image: Image.Image, counted: Counted) -> None:
    """Draw lines, with an arrow to their right, and areas at which objects are counted."""
    draw = ImageDraw.Draw(image)
    width = max(2, image.height // 240)
    for zone in counted.places.zones:
        draw.line([*zone.points, zone.points[0]], fill=_PLACE, width=width, joint="curve")
    for line in counted.places.lines:
        (x, y), (to_x, to_y) = line.points
        draw.line(line.points, fill=_PLACE, width=width)
        length = math.hypot(to_x - x, to_y - y)
        reach = max(8.0, image.height / 24)
        along = (to_x - x) / length * reach, (to_y - y) / length * reach
        right = -along[1], along[0]  # as y points down
        middle = (x + to_x) / 2, (y + to_y) / 2
        tip = middle[0] + right[0], middle[1] + right[1]
        feet = [(middle[0] + sign * along[0] / 2, middle[1] + sign * along[1] / 2) for sign in (1, -1)]
        draw.polygon([tip, *feet], fill=_PLACE)


def _words(answer: Label, age_ms: float) -> tuple[str, bool]:
    age = show_seconds(age_ms / 1000)
    label = visible(answer.label)
    if answer.unknown:
        return f"unknown ({label}?) · {age}", True
    doubt = "?" if answer.abstain else ""
    return f"{label}{doubt} {answer.confidence:.1%} · {age}", bool(answer.abstain)
