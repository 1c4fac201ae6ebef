"""What a stream told: the frames among it, and an end after so many of them."""

import threading

from foveal.stream.shown import Shown


def frames(told) -> list[Shown]:
    return [item for item in told if isinstance(item, Shown)]


def stopper(count: int, stop: threading.Event):
    """Return what sets `stop` after so many frames."""
    seen = []

    def tell(item) -> None:
        if isinstance(item, Shown):
            seen.append(item)
            if len(seen) >= count:
                stop.set()

    return tell
