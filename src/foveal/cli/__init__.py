"""The `foveal` command. One file in this folder is one command, loaded when it is asked for.

Exit codes: 0 ok · 1 bug in foveal · 2 usage · 10 a gate failed · 65 bad data · 66 input not found ·
69 missing extra or device · 73 cannot write · 75 try again · 78 bad recipe · 130/143 interrupted.
"""

import atexit
import signal
from typing import NoReturn

__all__ = ["heard", "main"]


def main() -> NoReturn:
    """Run the command line and leave with its exit code; a signal that comes from here on is understood."""
    signals: list[int] = []  # whatever comes while the command line is loaded is answered by the whole of it
    for number in heard():
        signal.signal(number, lambda number, frame: signals.append(number))
        atexit.register(signal.signal, number, signal.SIG_IGN)  # runs last: Python goes to pieces
    from foveal.cli import _main

    _main.main(signals)


def heard() -> list[signal.Signals]:
    """Return the signals that end a command, but for those that whoever started us wants ignored."""
    both = (signal.SIGINT, signal.SIGTERM)
    return [number for number in both if signal.getsignal(number) is not signal.SIG_IGN]
