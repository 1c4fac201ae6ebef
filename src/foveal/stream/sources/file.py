"""A film in a file: mp4, mov, mkv, webm, avi, ts, mpg …; needs the extra `video`."""

import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from foveal.core import files
from foveal.core.errors import DataError, NotFoundError
from foveal.core.text import printable
from foveal.stream import address
from foveal.stream.options import SourceOptions
from foveal.stream.shot import Running, Shot
from foveal.stream.sources._av import Pixels, decoded, opened
from foveal.stream.timeline import Timeline

EXTRA = "video"
LIVE = False
LASTING = False

_STEP_S = 0.04  # where a film does not say how many frames a second it has
_RATES = (0.01, 1000.0)  # what is believed of what it says
_LONGEST_GAP_S = 10.0  # that is waited for: a clock that jumped must not stop everything
# A playlist that is called film.mp4 would have other files read, or addresses asked: only these, only here.
_ONLY = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,mxf,h264,hevc,m4v,mjpeg,gif",
}


def is_meant(place: str) -> bool:
    """Return whether a text names a file, also one that is not there."""
    return (
        "://" not in place and not place.startswith(("camera:", "/dev/")) and not files.is_folder(Path(place))
    )


def file(options: SourceOptions, running: Running) -> Generator[Shot]:
    """Yield all frames as they are shown; if `live` at the film's own speed, if `loop` again and again.

    A frame is captured when it is decoded, or, at its own speed, when it is due.

    Raises:
        NotFoundError: There is no such file.
        DataError: `not_regular`, `not_a_video`, `no_video`, `no_frames`: nothing in it can be seen.
    """
    shown = printable(options.place)
    path = Path(options.place)
    if not files.is_there(path):
        gone = printable(address.shown(options.place))  # it may be a mistyped address
        raise NotFoundError(f"there is no {gone}", path=gone)
    if not path.is_file():
        raise DataError(f"{shown} is no regular file", code="not_regular", path=shown)
    shots = _played(f"file:{options.place}", shown, options, running)
    yield from _when_due(shots, running) if options.live else shots


def _played(name: str, shown: str, options: SourceOptions, running: Running) -> Generator[Shot]:
    pixels, timeline = Pixels(), None
    while not running.stop.is_set():
        count = 0
        with opened(name, shown=shown, options=dict(_ONLY)) as container:
            stream = container.streams.video[0]
            if timeline is None:
                timeline = Timeline(_step(stream.average_rate))
            for frame, _ in decoded(container, running, shown=shown):
                count += 1
                look = pixels.look(frame)
                yield Shot(time.monotonic(), timeline.at(frame.time), look, begins=count == 1)
            if 0 < count < stream.frames and not running.stop.is_set():
                running.note(f"{shown} says that it has {stream.frames} frames; {count} could be decoded")
        if count == 0 and not running.stop.is_set():
            raise DataError(f"no frame of {shown} can be decoded", code="no_frames", path=shown)
        if not options.loop:
            return


def _step(rate: object) -> float:
    """Return the seconds from one frame to the next; 0, NaN and a million a second are not believed."""
    told = float(rate) if rate else 0.0  # type: ignore[arg-type]  # a fraction of PyAV's or of Python's
    return 1 / told if _RATES[0] <= told <= _RATES[1] else _STEP_S


def _when_due(shots: Generator[Shot], running: Running) -> Generator[Shot]:
    start = None
    for shot in shots:
        now = time.monotonic()
        if start is None:
            start = now - shot.time_s
        if start + shot.time_s - now > _LONGEST_GAP_S:
            running.note(f"a gap in the film is not waited for longer than {_LONGEST_GAP_S:.0f} s")
            start = now + _LONGEST_GAP_S - shot.time_s
        due = start + shot.time_s
        if running.stop.wait(max(0.0, due - now)):
            return
        yield replace(shot, captured=due)
