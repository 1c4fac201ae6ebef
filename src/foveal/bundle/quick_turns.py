"""Time sessions in turns within a fraction of a second: a guide for a search, no proof of a difference.

`bundle.turns` times whole predictors for some seconds, and with an interval.
"""

import time
from collections.abc import Sequence

import numpy as np

from foveal.bundle.session import Session, UInt8
from foveal.bundle.timing import calls_in

_ROUNDS = 10
_WARM_SECONDS = 0.005
# Of all calls. Other work only ever adds time, often to most calls of a round, and then moves a median.
_QUANTILE = 0.2


def quick_turns(
    sessions: Sequence[Session], images: UInt8 | Sequence[UInt8], *, seconds: float
) -> tuple[float, ...]:
    """Return the seconds of one call of each session while nothing else disturbs it.

    All are warmed and then timed in turns, in either order alternately. Of all calls of a session the lower
    fifth is taken.

    Args:
        sessions: What is timed.
        images: What all are given, uint8 (N, h, w, c); or for each session what it is given.
        seconds: For timing, about.
    """
    part = seconds / (len(sessions) * _ROUNDS)
    given = [images] * len(sessions) if isinstance(images, np.ndarray) else images
    calls = [calls_in(part, _warmed(*each)) for each in zip(sessions, given, strict=True)]
    spent: list[list[float]] = [[] for _ in sessions]
    for count in range(_ROUNDS):
        order = range(len(sessions))
        for index in reversed(order) if count % 2 else order:
            spent[index].extend(_turn(sessions[index], given[index], calls[index]))
    return tuple(float(np.quantile(each, _QUANTILE)) for each in spent)


def _warmed(session: Session, images: UInt8) -> float:
    """Run a session for some milliseconds, twice at least; return the seconds of its fastest call."""
    session.run(images)
    started = time.perf_counter()
    fastest = min(_turn(session, images, 1))
    while time.perf_counter() - started < _WARM_SECONDS:
        fastest = min(fastest, *_turn(session, images, 1))
    return fastest


def _turn(session: Session, images: UInt8, count: int) -> list[float]:
    """Return the seconds of each of so many calls."""
    spent = []
    for _ in range(count):
        started = time.perf_counter()
        session.run(images)
        spent.append(time.perf_counter() - started)
    return spent
