"""Films that tests write: without loss, so that what is read can be compared with what was written."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np


def write(
    path: Path,
    frames: np.ndarray,
    *,
    rate: int = 10,
    codec: str = "ffv1",
    pixels: str = "bgr0",
    times: Sequence[float] | None = None,
    sound_s: float = 0.0,
) -> Path:
    """Write frames, uint8 (F, H, W, 3), as a film and return its path.

    `times` says when each is shown, and `sound_s` how long there is silence to be heard beside them.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000) if sound_s else None
        _fill(container, frames, rate, codec, pixels, times)
        if sound is not None:
            silence = np.zeros((1, round(8000 * sound_s)), np.int16)
            heard = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
            heard.sample_rate = 8000
            container.mux(sound.encode(heard))
            container.mux(sound.encode())
    return path


def unended(frames: np.ndarray) -> bytes:
    """Return a film as a camera sends it, which cannot go back to write down how long it became."""
    import av

    sent = []

    class Stream:
        def write(self, data: bytes) -> int:
            sent.append(bytes(data))
            return len(data)

    with av.open(Stream(), "w", format="matroska") as container:
        _fill(container, frames, 10, "ffv1", "bgr0", None)
    return b"".join(sent)


def _fill(
    container: Any,
    frames: np.ndarray,
    rate: int,
    codec: str,
    pixels: str,
    times: Sequence[float] | None,
) -> None:
    import av

    stream = container.add_stream(codec, rate=rate)
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = pixels
    for place, one in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(one), format="rgb24").reformat(
            format=pixels
        )
        if times is not None:
            picture.pts, picture.time_base = round(times[place] * 1000), Fraction(1, 1000)
        container.mux(stream.encode(picture))
    container.mux(stream.encode())


def growing(path: Path, small: np.ndarray, large: np.ndarray) -> bytes:
    """Write a film whose header and first frame have the size of `small`, and all others that of `large`."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = *small.shape[1:3], "yuvj420p"
        other = av.CodecContext.create("mjpeg", "w")
        other.height, other.width, other.pix_fmt = *large.shape[1:3], "yuvj420p"
        other.time_base = Fraction(1, 10)
        for place, one in enumerate([*small, *large]):
            frame = av.VideoFrame.from_ndarray(one, format="rgb24").reformat(format="yuvj420p")
            frame.pts = place
            for packet in (stream if place < len(small) else other).encode(frame):
                packet.stream, packet.pts = stream, place
                container.mux(packet)
    return path.read_bytes()


def counting(count: int, side: int = 16) -> np.ndarray:
    """Return frames whose grey level is ten times their number, uint8 (count, side, side, 3)."""
    levels = (np.arange(count) * 10 % 250).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, side, side, 3)).copy()


def sliding(direction: int, *, seed: int, count: int = 8, side: int = 32) -> np.ndarray:
    """Return a bright square that moves to the right (1) or left (-1) and comes back on the other side.

    It begins anywhere, so that no frame alone says where it goes.
    """
    rng = np.random.default_rng(seed)
    size, row, column = 10, side // 3, rng.integers(side)
    picture = rng.integers(0, 30, (side, side, 3)) + np.zeros((side, side, 3))
    square = 200 + rng.integers(-20, 20, (size, size, 3))
    frames = []
    for place in range(count):
        down = (row + np.arange(size)) % side
        across = (column + 3 * direction * place + np.arange(size)) % side
        shown = picture.copy()
        shown[np.ix_(down, across)] = square
        frames.append(shown.clip(0, 255).astype(np.uint8))
    return np.stack(frames)


def hidden(path: Path, frames: np.ndarray) -> bytes:
    """Write a film of VP8 with every fourth frame marked as never shown, as alternate references are."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=10, options={"g": "1000", "lag-in-frames": "0"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        pictures = [av.VideoFrame.from_ndarray(one, format="rgb24") for one in frames]
        packets = [packet for picture in [*pictures, None] for packet in stream.encode(picture)]
        for place, packet in enumerate(packets):
            content = bytearray(packet)
            if place % 4 == 3:
                content[0] &= ~0x10  # show_frame: RFC 6386, section 9.1
            copy = av.Packet(bytes(content))
            copy.stream, copy.pts, copy.dts = stream, packet.pts, packet.dts
            copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
            container.mux(copy)
    return path.read_bytes()


def trimmed(path: Path, start_s: float, *, count: int = 24, rate: int = 12) -> bytes:
    """Write an mp4 and a part of it from a time on, as players trim: copied, with an edit list."""
    import av

    whole = path.with_name(f"whole-{path.name}")
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"g": "12", "bf": "2"})
        stream.height = stream.width = 64
        stream.pix_fmt = "yuv420p"
        for one in counting(count, side=64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(one, format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(whole)) as source, av.open(str(path), "w") as container:
        given = source.streams.video[0]
        copied = container.add_stream_from_template(given)
        shift = round(start_s / given.time_base)
        for packet in source.demux(given):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copied
                container.mux(packet)
    return path.read_bytes()
