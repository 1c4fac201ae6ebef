"""Time in a film that only goes forward, whatever the film says."""


class Timeline:
    """Begins at 0. Where the time goes back, as in a film that begins anew, it goes on by one step.

    Gaps are kept. A frame without a time comes one step after the one before.
    """

    def __init__(self, step_s: float) -> None:
        """Begin.

        Args:
            step_s: From one frame to the next, in seconds, where the film does not say.
        """
        self._step, self._shift = step_s, 0.0
        self._last: float | None = None

    def at(self, told: float | None) -> float:
        """Return the time of the next frame in seconds; never less than that of the one before.

        Args:
            told: What the film says, or None.
        """
        if self._last is None:
            self._shift, self._last = -(told or 0.0), 0.0
            return 0.0
        if told is None:
            self._last += self._step
        else:
            if told + self._shift < self._last:
                self._shift = self._last + self._step - told
            self._last = told + self._shift
        return self._last
