"""The film with the answers drawn on it: `video:FILE.mp4`; needs the extra `video`."""

import math
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from foveal.core import files
from foveal.core.errors import UsageError, WriteError
from foveal.core.text import printable, visible
from foveal.core.types import Label
from foveal.core.units import show_seconds
from foveal.data.decode import decode
from foveal.stream.options import SinkOptions
from foveal.stream.outbox import Item
from foveal.stream.shown import Shown

EXTRA = "video"
LOCAL = True

_SUFFIXES = (".mp4", ".mkv")
_CODECS = ("libx264", "libopenh264", "mpeg4")  # the first that this PyAV has
_CLOCK = 1000  # ticks a second: frames keep the times they were captured at
_QUICK = {"libx264": {"preset": "ultrafast", "tune": "zerolatency", "crf": "23"}}
# Pieces that can each be played: what a killed process has written is a film.
_PIECES = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_AT_ONCE = {"flush_packets": "1"}
_INK = {False: (120, 255, 140), True: (255, 190, 90)}


def video(place: str, options: SinkOptions) -> "_Film":
    """Return what writes each answered frame into a film, with label, confidence and age drawn on it.

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
    return _Film(path)


class _Film:
    """Takes its size from the first frame; frames of another size are scaled to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._container: Any = None
        self._stream: Any = None
        self._last = -1

    room, patient, complete, limit = 8, True, False, math.inf

    def wanted(self, item: Item) -> Item | None:
        return item if isinstance(item, Shown) and isinstance(item.answer, Label) else None

    def write(self, item: Item) -> None:
        import av

        if not isinstance(item, Shown) or not isinstance(item.answer, Label) or item.picture is None:
            return
        pixels = decode(item.picture, 3) if isinstance(item.picture, bytes) else item.picture
        image = Image.fromarray(np.ascontiguousarray(pixels))
        if self._container is None:
            self._begin(image.width, image.height)
        size = (self._stream.width, self._stream.height)
        if image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        _annotate(image, item.answer, item.age_ms)
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


def _annotate(image: Image.Image, answer: Label, age_ms: float) -> None:
    draw = ImageDraw.Draw(image)
    height = max(10, image.height // 24)
    font = ImageFont.load_default(height)
    text, refused = _words(answer, age_ms)
    box = draw.textbbox((height // 2, height // 2), text, font=font)
    margin = height // 4
    draw.rectangle((box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin), fill=(0, 0, 0))
    draw.text((height // 2, height // 2), text, fill=_INK[refused], font=font)


def _words(answer: Label, age_ms: float) -> tuple[str, bool]:
    age = show_seconds(age_ms / 1000)
    label = visible(answer.label)
    if answer.unknown:
        return f"unknown ({label}?) · {age}", True
    doubt = "?" if answer.abstain else ""
    return f"{label}{doubt} {answer.confidence:.1%} · {age}", bool(answer.abstain)
