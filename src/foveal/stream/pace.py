"""Which frames of a stream a recognizer of clips is shown: as far apart as those that it learned from."""

from foveal.stream.shot import Shot

_EARLY = 1e-3  # seconds; times that a film states are rounded
_LONGEST_GAP = 3.0  # spacings without a frame, after which what was seen before is another film


class Pace:
    """Says of each frame whether its turn has come."""

    def __init__(self, spacing_s: float | None) -> None:
        """Begin.

        Args:
            spacing_s: From one frame to the next, in seconds; None: nobody knows, every frame is taken.
        """
        self._spacing = spacing_s or 0.0
        self._due: float | None = None

    def takes(self, shot: Shot) -> bool:
        """Return whether the frame is taken; times only rise."""
        due = self._due
        if due is None or shot.begins:
            self._due = shot.time_s + self._spacing
        elif shot.time_s < due - _EARLY:
            return False
        else:  # where frames are late, the next is not sooner for it
            self._due = (
                due + self._spacing if shot.time_s < due + self._spacing else shot.time_s + self._spacing
            )
        return True

    def breaks(self, shot: Shot) -> bool:
        """Return, before a frame is taken, whether it follows on nothing that was taken before."""
        if self._due is None or shot.begins:
            return True
        return bool(self._spacing) and shot.time_s > self._due + _LONGEST_GAP * self._spacing
