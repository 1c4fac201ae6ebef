"""Ctrl-C and SIGTERM from the first of our lines to the last: what comes is told, and never a traceback.

Three times: while the command line is loaded signals are only noted; while the command runs they end it, by
an exception; once its result is out they change nothing. This file imports next to nothing, as it is first.
"""

import atexit
import os
import signal
import sys
from types import FrameType

from foveal.core.signals import heard

_SOON_SECONDS = 0.05


class Terminated(BaseException):
    """SIGTERM arrived; unwinds like Ctrl-C does, so that half-written files are removed."""


def note() -> list[int]:
    """Let signals only be noted from here on; return the list that they are added to."""
    signals: list[int] = []
    for number in heard():
        signal.signal(number, lambda number, frame: signals.append(number))
        atexit.register(signal.signal, number, signal.SIG_IGN)  # runs last: then Python goes to pieces
    return signals


def listen(signals: list[int]) -> None:
    """Let signals end the command from here on, and at once where one has come.

    Args:
        signals: Those that have come already; others that come are added.

    Raises:
        KeyboardInterrupt, Terminated: As soon as one comes.
    """

    def end(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        raise stop(number)

    for number in heard():
        signal.signal(number, end)
    sys.unraisablehook = _once_more
    if signals:
        raise stop(signals[0])


def _once_more(lost: "sys.UnraisableHookArgs") -> None:
    """Send a signal again whose exception came where Python drops it, such as in a weak reference's callback.

    Not at once: the callback is still running.
    """
    if isinstance(lost.exc_value, KeyboardInterrupt | Terminated):
        number = signal.SIGTERM if isinstance(lost.exc_value, Terminated) else signal.SIGINT
        import threading

        threading.Timer(_SOON_SECONDS, os.kill, (os.getpid(), number)).start()
    else:
        sys.__unraisablehook__(lost)


def stop(number: int) -> BaseException:
    """Return what a signal raises."""
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


def leave_at(code: int) -> None:
    """Let signals only cut short how Python tidies up from here on, and the command end with its code."""
    for number in heard():
        signal.signal(number, lambda *_: os._exit(code))
