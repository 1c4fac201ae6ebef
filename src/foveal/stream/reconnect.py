"""A source is asked again when it is lost."""

import time
from collections.abc import Callable, Generator
from dataclasses import replace

from foveal.core.errors import DataError, DeviceError, FovealError, NotFoundError, TemporaryError
from foveal.core.units import show_seconds
from foveal.stream.backoff import delay
from foveal.stream.shot import Incident, Running, Shot
from foveal.stream.timeline import Timeline

_FIRST_S, _MOST_S = 0.25, 30.0


class Absence:
    """For how long a source is away, who is told of it, and when to ask again."""

    def __init__(self, running: Running, *, give_up_s: float | None) -> None:
        """Begin with a source that nobody has asked yet.

        Args:
            running: Told when it is lost and when it is back.
            give_up_s: For how long it may be away, in seconds; None: for ever.
        """
        self._running, self._give_up_s = running, give_up_s
        self._here, self._attempt, self._away = time.monotonic(), 0, False

    def ended(self) -> None:
        """Take note that the source is there."""
        now = time.monotonic()
        if self._away:
            told = f"the source is back after {show_seconds(now - self._here)}"
            self._running.incidents.append(Incident("back", told, now - self._here))
        self._here, self._attempt, self._away = now, 0, False

    def wait(self, error: FovealError) -> None:
        """Wait until the source is to be asked again, longer with each attempt.

        Args:
            error: Why it is away.

        Raises:
            TemporaryError: `source_lost`: it has been away for too long.
        """
        without = time.monotonic() - self._here
        wait = delay(self._attempt, first_s=_FIRST_S, most_s=_MOST_S)
        if self._give_up_s is not None:
            if without >= self._give_up_s:
                raise TemporaryError(
                    f"no picture for {show_seconds(without)}: {error.message}", code="source_lost"
                ) from error
            wait = min(wait, self._give_up_s - without)
        if not self._away:
            self._running.lost(error)
            self._away = True
        self._running.reconnects += 1
        self._attempt += 1
        self._running.stop.wait(wait)


def reconnected(
    begin: Callable[[], Generator[Shot]], running: Running, *, give_up_s: float | None
) -> Generator[Shot]:
    """Yield the pictures of a source, which is begun again whenever it ends or fails.

    Their time is that since the first one, and neither it nor when they were captured goes back.

    Args:
        begin: Connects, and yields pictures.
        running: Told of what is lost and back.
        give_up_s: For how long to go on without a picture, from the start on. None: the first connection has
            to succeed, and one that is lost is tried for ever.

    Raises:
        FovealError: The first connection failed, or there was no picture for so long.
    """
    seen, absence = False, Absence(running, give_up_s=give_up_s)
    captured, timeline = 0.0, Timeline(0.0)
    while not running.stop.is_set():
        error: FovealError = TemporaryError("the source ended", code="source_lost")
        try:
            begins = True
            for shot in begin():
                absence.ended()
                seen, captured = True, max(captured, shot.captured)
                yield replace(shot, captured=captured, time_s=timeline.at(captured), begins=begins)
                begins = False
        except TemporaryError as problem:
            error = problem
        except (DataError, NotFoundError, DeviceError) as problem:
            if not seen:
                raise
            error = problem  # a server that starts up says many things; a camera may be unplugged
        if running.stop.is_set():
            return
        if not seen and give_up_s is None:
            error.hint = error.hint or "is it there? --give-up 5m goes on trying for five minutes"
            raise error
        absence.wait(error)
