"""How long work tells its caller where it stands; the library itself prints nothing."""

from typing import Protocol


class Progress(Protocol):
    """Called at most a few times a second; must return quickly and must not raise."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` units of `stage` are finished; `note` is for people."""


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """Report nothing."""
