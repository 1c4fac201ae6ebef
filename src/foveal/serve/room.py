"""Memory for the bodies of a worker's requests, from where they begin to come until they are answered.

A body may have half of what is free: large ones that stall leave room for small ones, as the dynamic
thresholds of a switch that shares its memory do (Choudhury and Hahne, 1998).
"""

from foveal.serve.problems import HttpError

_AGAIN = 1.0  # seconds after which to try again


class Room:
    """How many bytes are taken; for one thread."""

    def __init__(self, most: int) -> None:
        """Begin with all of it free.

        Args:
            most: Bytes, above 0.
        """
        self._most = most
        self.taken = 0

    def take(self, more: int, *, held: int) -> None:
        """Take bytes for a body; the only one there is always let in.

        Args:
            more: Bytes, from 0.
            held: That the same body has already.

        Raises:
            HttpError: `overloaded`; nothing was taken.
        """
        others = self.taken - held
        if others and 2 * (held + more) > self._most - others:
            raise HttpError("overloaded", "other requests send too much at this time", retry_after=_AGAIN)
        self.taken += more

    def give(self, count: int) -> None:
        """Give bytes back."""
        self.taken -= count
