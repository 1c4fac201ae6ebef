"""Which signals may end us; imports next to nothing, as a command asks before anything else."""

import signal


def heard() -> list[signal.Signals]:
    """Return those of SIGINT and SIGTERM that end a command.

    Not those that whoever started us wants ignored, as a shell does for SIGINT of what it puts in the
    background, and not those that something other than Python handles.
    """
    both = (signal.SIGINT, signal.SIGTERM)
    return [number for number in both if signal.getsignal(number) not in (None, signal.SIG_IGN)]
