"""What the kinds of sources that PyAV reads have in common."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from foveal.core.errors import DataError, FovealError, NotFoundError, TemporaryError
from foveal.data.dataset import UInt8
from foveal.data.decode import LIMITS
from foveal.data.video import pixels_of
from foveal.stream.shot import Running

_PATIENCE = 250  # frames without a key frame after which a stream that was damaged is believed again


def opened(name: str, *, shown: str, live: bool = False, **how: Any) -> Any:
    """Open what is to be read.

    Args:
        name: For PyAV.
        shown: For people: without passwords.
        live: Whether asking again may help where it cannot be opened.
        how: Further arguments of `av.open`.

    Raises:
        NotFoundError: It is not there.
        DataError: `not_a_video`, `no_video`: nothing in it can be decoded.
        TemporaryError: `no_connection`.
    """
    import av

    try:
        container = av.open(name, **how)
    except (av.error.FFmpegError, OSError) as error:
        raise _problem(error, shown, live=live) from None
    if not container.streams.video:
        container.close()
        raise DataError(f"{shown} has no picture in it", code="no_video", hint="sound alone is not seen")
    return container


def decoded(
    container: Any, running: Running, *, shown: str, patience_s: float | None = None
) -> Iterator[tuple[Any, float]]:
    """Yield the frames of the first video stream as they are shown, with when their data came.

    After damage no frame is yielded until one comes that builds on no other: a picture that may be smeared is
    counted instead.

    Args:
        container: As it was opened.
        running: Told of damage.
        shown: Name for people.
        patience_s: Of a live source: for how long there may be no whole frame. None: it is none.

    Raises:
        TemporaryError: Of a live source: it broke off, or there was no whole frame for so long.
        DataError: `too_many_pixels`.
    """
    import av

    stream = container.streams.video[0]
    # Several frames at once would hold each back until later ones are there, and tell damage late or never.
    stream.thread_type = "SLICE"
    stream.codec_context.options = {"err_detect": "explode"}  # or half a picture is filled up with grey
    came: dict[int, float] = {}
    trust, latest = _Trust(running), time.monotonic()
    try:
        for packet in container.demux(stream):
            now = time.monotonic()
            if running.stop.is_set():
                return
            if patience_s is not None and now - latest > patience_s:
                raise TemporaryError(f"nothing but damage from {shown}", code="no_connection")
            if packet.pts is not None:
                came[packet.pts] = now
            for frame in trust.frames(packet):
                arrived = came.pop(frame.pts, now)
                _check_size(frame, shown)
                latest = now
                yield frame, arrived
            if len(came) > _PATIENCE:  # of frames that never came out
                came.clear()
    except av.error.FFmpegError as error:
        if patience_s is None:
            running.note(f"{shown} breaks off: {getattr(error, 'strerror', error)}")
            return
        raise _problem(error, shown, live=True) from None


class _Trust:
    """Which frames can be believed after damage."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._left = 0  # frames that are not believed unless one that stands alone comes before

    def frames(self, packet: Any) -> list[Any]:
        """Return the frames that a packet completes, but for those that may be smeared, which are counted."""
        import av

        if packet.is_corrupt:
            self._left = _PATIENCE
        try:
            found = packet.decode()
        except av.error.InvalidDataError:
            self._running.damaged += 1
            self._left = _PATIENCE
            return []
        return [frame for frame in found if self._allows(frame)]

    def _allows(self, frame: Any) -> bool:
        if frame.is_corrupt:
            self._left = _PATIENCE
        elif frame.key_frame:
            self._left = 0
        if self._left == 0:
            return True
        self._left -= 1
        self._running.damaged += 1
        return False


class Pixels:
    """Turns frames into pixels; one for each source, used from one thread at a time."""

    def __init__(self) -> None:
        """Make the one scaler, which costs more than to use it."""
        from av.video.reformatter import VideoReformatter

        self._scaler = VideoReformatter()

    def look(self, frame: Any) -> Callable[[], UInt8]:
        """Return what returns the pixels of a frame, upright, uint8 (H, W, 3)."""
        return lambda: self._of(frame)

    def _of(self, frame: Any) -> UInt8:
        return pixels_of(frame, self._scaler)


def _check_size(frame: Any, shown: str) -> None:
    if frame.width * frame.height > LIMITS.pixels or max(frame.width, frame.height) > LIMITS.side:
        raise DataError(
            f"{shown}: frames of {frame.width}×{frame.height} pixels are more than is read",
            code="too_many_pixels",
        )


def _problem(error: Exception, shown: str, *, live: bool) -> FovealError:
    """Return our error for one of PyAV's."""
    import av

    why = getattr(error, "strerror", None) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"there is no {shown}", path=shown)
    if live and not isinstance(error, av.error.HTTPUnauthorizedError):
        return TemporaryError(f"no pictures from {shown}: {why}", code="no_connection")
    if isinstance(error, PermissionError):
        return DataError(f"{shown} cannot be read: {why}", code="io_error", path=shown)
    return DataError(
        f"{shown} is no video that can be read: {why}",
        code="not_a_video",
        hint="a recording that was cut off may lack its index; mkv survives that, mp4 does not",
        path=shown,
    )
