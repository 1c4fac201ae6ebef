"""Ctrl-C and SIGTERM as a wish to end, for commands that finish what they have begun."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from foveal.core.signals import heard

_GRACE_S = 20  # after which whatever hangs is torn out of it
_HOW = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


@dataclass
class Stop:
    """Whether somebody wants the command to end.

    Attributes:
        event: Set once a signal came.
        how: `interrupted` or `terminated`, or None as long as nobody does.
    """

    event: threading.Event = field(default_factory=threading.Event)
    how: str | None = None


@contextmanager
def stopping() -> Iterator[Stop]:
    """Take the first signal as a wish; the second one, or 20 seconds without an end, as usual.

    What the process ignores stays ignored.
    """
    stop = Stop()
    before = {number: signal.getsignal(number) for number in heard()}

    def hear(number: int, frame: FrameType | None) -> None:
        stop.how = _HOW[signal.Signals(number)]
        stop.event.set()
        for other, handler in before.items():
            signal.signal(other, handler)
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))
        signal.alarm(_GRACE_S)

    for number in before:
        signal.signal(number, hear)
    try:
        yield stop
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
