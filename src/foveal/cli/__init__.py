"""The `foveal` command. One file in this folder is one command, loaded when it is asked for.

Exit codes: 0 ok · 1 bug in foveal · 2 usage · 10 a gate failed · 65 bad data · 66 input not found ·
69 missing extra or device · 73 cannot write · 75 try again · 78 bad recipe · 130/143 interrupted.
"""

from typing import NoReturn

from foveal.cli import _signals

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and leave with its exit code; a signal that comes from here on is understood."""
    signals = _signals.note()
    from foveal.cli import _main  # a tenth of a second, and half of it could not say that it was interrupted

    _main.main(signals)
