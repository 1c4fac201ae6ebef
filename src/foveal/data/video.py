"""From a film's bytes to frames, by PyAV (the extra `video`), which is imported when it is needed.

As with pictures the order is what makes it safe: length, container (never a playlist, which would have other
files read), header and number of frames against the limits, and only then the pixels. A header may lie:
frames are counted and measured again while they are decoded.
"""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from foveal.core import extras
from foveal.core.errors import ImageError, UsageError
from foveal.data.clip import places
from foveal.data.dataset import Header, UInt8
from foveal.data.decode import LIMITS

Sizing = Callable[[UInt8], UInt8]  # of one frame, uint8 (H, W, channels)
# A playlist that is called film.mp4 would have other files read, or addresses asked. Bare H.264 and HEVC are
# not among them: without a container there are no times, and nobody can go back to the first frame.
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,mxf,m4v,mjpeg,gif"
_KNOWN_SPACES = frozenset({1, 4, 5, 6, 7})  # what the file says of its matrix and swscale knows, by number
_FORMATS = {1: "gray", 3: "rgb24"}
_WHOLE_PIXELS = 2**27  # of whole frames of one film at once: 400 MB in colour
_STATING = ("matroska", "avi", "flv")  # their headers state a length; of the rest FFmpeg estimates it
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_UNSTATED_S = 1.0  # that a film may be shorter than it says
_RATES = (0.01, 1000.0)  # frames a second that are believed


@dataclass(frozen=True)
class VideoLimits:
    """What a film may be at most: by its header before anything is decoded, and again by each decoded frame.

    Attributes:
        content_bytes: Length of the file.
        frames: How many; 10 minutes at 30 a second.
        pixels: Width times height of all frames together; about a minute of work.
    """

    content_bytes: int = 64 * 2**20
    frames: int = 18_000
    pixels: int = 10**10


VIDEO_LIMITS = VideoLimits()


@dataclass(frozen=True)
class Timing:
    """How many frames a film has, and how long it lasts in seconds."""

    frames: int
    seconds: float


def decoder() -> str:
    """Return the name and version of the decoder of films.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    return f"pyav {_av().__version__}"


def header(content: bytes, *, limits: VideoLimits = VIDEO_LIMITS) -> Header:
    """Return codec, size and pixel format of a film without decoding; raises as `sampled` does."""
    with _opened(content, limits) as (_, stream):
        mode = str(stream.codec_context.pix_fmt or "unknown")
        channels = 1 if mode.startswith("gray") else 3
        return Header(stream.codec_context.name, stream.width, stream.height, mode, channels)


def timing(content: bytes, *, limits: VideoLimits = VIDEO_LIMITS) -> Timing:
    """Return number of frames and duration of a film, without decoding; raises as `sampled` does."""
    with _opened(content, limits) as (container, stream):
        times = sorted(float(p.pts * p.time_base) for p in _packets(container, stream) if p.pts is not None)
        rate = float(stream.average_rate or 0)
        step = 1 / rate if _RATES[0] <= rate <= _RATES[1] else 1 / 25
        if len(times) > 1 and times[-1] > times[0]:
            step = (times[-1] - times[0]) / (len(times) - 1)
        count = _count(container, stream, limits)
        return Timing(count, count * step)


def weight(content: bytes) -> int:
    """Return the pixels of all frames together, by the header, however many; raises as `sampled` does."""
    limits = replace(VIDEO_LIMITS, pixels=VIDEO_LIMITS.frames * LIMITS.pixels)
    with _opened(content, limits) as (container, stream):
        return _count(container, stream, limits) * int(stream.width * stream.height)


def sampled(
    content: bytes,
    frames: int,
    channels: int,
    *,
    sized: Sizing | None = None,
    limits: VideoLimits = VIDEO_LIMITS,
    spend: Callable[[int], None] | None = None,
) -> UInt8:
    """Return frames that are evenly spread over a film, upright, uint8 (frames, H, W, channels).

    Args:
        content: The file's bytes.
        frames: How many; those that `clip.places` names.
        channels: 1 for grey, 3 for RGB.
        sized: Makes of each chosen frame, as soon as it is decoded, what is kept of it, uint8 (h, w,
            channels): at the model's size, memory does not depend on the film's. None: whole frames.
        limits: What is refused.
        spend: Told width times height of every frame as it is decoded, taken or not, and 0 of one that was
            decoded before; ends it by raising.

    Raises:
        ImageError: `empty`, `not_video`, `no_video`, `truncated`, `corrupt`, `too_many_bytes`,
            `too_many_frames` or `too_many_pixels`, also of whole frames that are returned;
            `mixed_sizes`: its frames are of different sizes.
        MissingExtraError: PyAV is not installed.
        UsageError: Another number of channels.
    """
    if channels not in _FORMATS:
        raise UsageError(f"a film has 1 or 3 channels, grey or RGB; got channels={channels}")
    with _opened(content, limits) as (container, stream):
        expected = _count(container, stream, limits)
    keep = sized or _Whole(frames)
    how = _Decoding(channels, keep, limits, spend)
    found, count = _picked(content, places(expected, frames).tolist(), how)
    if count != expected:  # frames that are never shown were counted; now their number is known
        found, _ = _picked(content, places(count, frames).tolist(), how._replace(spend=_again(spend)))
    return np.stack(found)


def _again(spend: Callable[[int], None] | None) -> Callable[[int], None] | None:
    """Return what is told of frames that were decoded before."""
    return None if spend is None else lambda _: spend(0)


def pixels_of(frame: Any, scaler: Any, channels: int = 3) -> UInt8:
    """Return the pixels of a decoded frame, upright, uint8 (H, W, channels).

    Args:
        frame: PyAV's.
        scaler: A `VideoReformatter`, used by one thread at a time; making one costs more than its use.
        channels: 1 for grey, 3 for RGB.
    """
    space = int(frame.colorspace)
    how = {"src_colorspace": space} if space in _KNOWN_SPACES else {}
    plain = scaler.reformat(frame, format=_FORMATS[channels], **how)
    [plane] = plain.planes
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plain.height, plane.line_size)
    pixels = rows[:, : plain.width * channels].reshape(plain.height, plain.width, channels)
    return np.rot90(pixels, k=round(frame.rotation / 90) % 4)


def _av() -> Any:
    extras.need("video", what="reading films")
    import av

    return av


@contextmanager
def _opened(content: bytes, limits: VideoLimits) -> Iterator[tuple[Any, Any]]:
    """Give the container and its first video stream; what PyAV raises inside becomes an `ImageError`."""
    av = _av()
    if not content:
        raise ImageError("the file is empty", code="empty")
    if len(content) > limits.content_bytes:
        what = f"{len(content)} bytes are more than the {limits.content_bytes} allowed"
        raise ImageError(what, code="too_many_bytes", hint="cut it into clips of some seconds")
    code, why = "not_video", "it is no film that can be read"
    try:
        with av.open(io.BytesIO(content), options={"format_whitelist": CONTAINERS}) as container:
            if not container.streams.video:
                raise ImageError("there is no picture in it", code="no_video", hint="sound alone is not seen")
            stream = container.streams.video[0]
            _check_size(stream.width, stream.height)
            # Half a picture must be an error, not filled up with grey; threads are the caller's.
            stream.codec_context.options = {"err_detect": "explode"}
            stream.codec_context.thread_count = 1
            code, why = "corrupt", "its frames cannot be decoded"
            yield container, stream
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, ImageError | UsageError):
            raise
        hint = "a recording that was cut off may lack its index; mkv survives that, mp4 does not"
        told = getattr(error, "strerror", None) or type(error).__name__
        raise ImageError(f"{why}: {told}", code=code, hint=hint) from None


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise ImageError("a part of it is damaged or cut off", code="truncated")
        if packet.size:
            yield packet


def _count(container: Any, stream: Any, limits: VideoLimits) -> int:
    """Return how many frames the container holds, checked against the limits; nothing is decoded."""
    container.seek(0)
    count, times, end = 0, [], 0.0
    for packet in _packets(container, stream):
        count += 1
        _check_all(count, count * stream.width * stream.height, limits)
        if packet.pts is not None:
            times.append(float(packet.pts * packet.time_base))
            end = max(end, times[-1] + float((packet.duration or 0) * packet.time_base))
    # `stream.frames` counts those that an edit list passes over, too; the index that is followed does not.
    if container.format.name.startswith("mov") and count < (held := len(stream.index_entries)):
        what = f"it says that it has {held} frames, and {count} are there"
        raise ImageError(what, code="truncated")
    _check_length(_stated_seconds(container, stream), sorted(times), end)
    return count


def _check_length(stated: float | None, times: list[float], end: float) -> None:
    """Refuse a film that ends long before the end that its header states.

    Where nothing says how long the last frame stays it may stay for as long as any other, and twice that is
    borne: in a slide show all stay long. A film may begin at a later time than 0; some headers state the last
    time and some the length.
    """
    if stated is None or len(times) < 2:
        return
    longest = max(after - before for before, after in pairwise(times))
    if stated - max(end, end - times[0]) > _UNSTATED_S + 2 * longest:
        what = f"it says that it lasts {stated:.1f} s, and what is there ends at {end:.1f} s"
        raise ImageError(what, code="truncated", hint="it was cut off: copy or record it again")


def _stated_seconds(container: Any, stream: Any) -> float | None:
    """Return how long the header says that the frames last; None where it was not written by who knew."""
    if not container.format.name.startswith(_STATING):
        return None
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if (said := _CLOCK.fullmatch(stream.metadata.get("DURATION", ""))) is not None:
        hours, minutes, seconds = map(float, said.groups())
        return 3600 * hours + 60 * minutes + seconds
    # That of the whole film is that of its sound where the sound is longer.
    return None if len(container.streams) > 1 or container.duration is None else container.duration / 1e6


class _Whole:
    """Keeps frames as they are, as long as all that will be returned, repeats too, fit into memory."""

    def __init__(self, frames: int) -> None:
        self._frames = frames

    def __call__(self, pixels: UInt8) -> UInt8:
        height, width = pixels.shape[:2]
        if self._frames * height * width > _WHOLE_PIXELS:
            what = f"{self._frames} whole frames of {width}×{height} pixels are more than is kept"
            raise ImageError(what, code="too_many_pixels", hint="scale it down")
        return pixels


class _Decoding(NamedTuple):
    """How frames are decoded; see `sampled`."""

    channels: int
    keep: Sizing
    limits: VideoLimits
    spend: Callable[[int], None] | None


def _picked(content: bytes, wanted: list[int], how: _Decoding) -> tuple[list[UInt8], int]:
    """Return what is kept of these frames, as far as they are there, and how many frames there are."""
    from av.video.reformatter import VideoReformatter

    kept: dict[int, UInt8] = {}
    shapes = set()
    chosen, count, total, scaler = set(wanted), 0, 0, VideoReformatter()
    with _opened(content, how.limits) as (container, stream):
        for frame in container.decode(stream):
            _check_size(frame.width, frame.height)
            # What the container says of size and number binds no frame: these are what was decoded.
            total += frame.width * frame.height
            _check_all(count + 1, total, how.limits)
            if how.spend is not None:
                how.spend(frame.width * frame.height)
            if frame.is_corrupt:
                raise ImageError("a frame of it is damaged", code="corrupt")
            if count in chosen:
                pixels = pixels_of(frame, scaler, how.channels)
                shapes.add(pixels.shape)
                if len(shapes) > 1:
                    raise ImageError("its frames are of different sizes", code="mixed_sizes")
                kept[count] = np.array(how.keep(pixels))  # a copy: PyAV's memory is not ours
            count += 1
    if count == 0:
        raise ImageError("no frame of it can be decoded", code="corrupt")
    return [kept[place] for place in wanted if place in kept], count


def _check_all(count: int, pixels: int, limits: VideoLimits) -> None:
    """Refuse so many frames, or so many pixels in all of them together."""
    if count > limits.frames:
        what = f"more than the {limits.frames} frames allowed"
        raise ImageError(what, code="too_many_frames", hint="cut it into clips of some seconds")
    if pixels > limits.pixels:
        what = f"its frames have more pixels together than the {limits.pixels:,} allowed"
        raise ImageError(what, code="too_many_pixels", hint="cut it, or scale it down")


def _check_size(width: int, height: int) -> None:
    if min(width, height) < 1:
        raise ImageError(f"its frames are {width}×{height} pixels", code="corrupt")
    if width * height > LIMITS.pixels or max(width, height) > LIMITS.side:
        raise ImageError(f"frames of {width}×{height} pixels are more than is read", code="too_many_pixels")
