"""A live source is asked again when it is lost."""

import time
from collections.abc import Callable, Generator
from dataclasses import replace

from foveal.core.errors import DataError, FovealError, NotFoundError, TemporaryError
from foveal.core.units import show_seconds
from foveal.stream.backoff import delay
from foveal.stream.shot import Incident, Running, Shot
from foveal.stream.timeline import Timeline

_FIRST_S, _MOST_S = 0.25, 30.0


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
    seen, attempt, latest = False, 0, time.monotonic()
    away, captured, timeline = False, 0.0, Timeline(0.0)
    while not running.stop.is_set():
        error: FovealError = TemporaryError("the source ended", code="source_lost")
        try:
            for shot in begin():
                if away:
                    seconds = time.monotonic() - latest
                    told = f"the source is back after {show_seconds(seconds)}"
                    running.incidents.append(Incident("back", told, seconds))
                seen, away, attempt, latest = True, False, 0, time.monotonic()
                captured = max(captured, shot.captured)
                yield replace(shot, captured=captured, time_s=timeline.at(captured))
        except TemporaryError as problem:
            error = problem
        except (DataError, NotFoundError) as problem:  # a server that starts up says many things
            if not seen:
                raise
            error = problem
        if running.stop.is_set():
            return
        without = time.monotonic() - latest
        if not seen and give_up_s is None:
            error.hint = error.hint or "is it there? --give-up 5m goes on trying for five minutes"
            raise error
        if give_up_s is not None and without >= give_up_s:
            raise TemporaryError(
                f"no picture for {show_seconds(without)}: {error.message}", code="source_lost"
            ) from error
        if not away:
            running.lost(error)
            away = True
        running.reconnects += 1
        wait = delay(attempt, first_s=_FIRST_S, most_s=_MOST_S)
        if give_up_s is not None:
            wait = min(wait, give_up_s - without)
        attempt += 1
        running.stop.wait(wait)
