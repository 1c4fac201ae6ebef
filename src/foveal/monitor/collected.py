"""Pictures in an order that means something, such as class by class: looked at together afterwards."""

from typing import Any

from foveal.core.random import stream
from foveal.core.types import Label
from foveal.data.dataset import UInt8
from foveal.monitor.monitor import Monitor, Seen, seen
from foveal.tasks.classify.decode import Decision


class Collected:
    """Notes of a whole collection; a `Monitor` sees them in an order drawn by the seed.

    Folders are sorted by name, and names often hold the class or the hour: seen in that order, the pictures
    of the calibration itself would look as if they changed all the time. A hundred bytes a picture are kept.
    Not thread-safe: it is called from where answers are taken.
    """

    def __init__(self, decision: Decision, *, seed: int = 0) -> None:
        """Begin with the reference that a bundle keeps of its calibration.

        Raises:
            UsageError: `no_reference`: the bundle keeps none.
        """
        self._monitor = Monitor(decision, seed=seed)
        self._seed = seed
        self._notes: list[Seen] = []

    def __call__(self, answer: Label, image: UInt8) -> None:
        """Note one answer and its picture at model size, uint8 (S, S, C)."""
        self._notes.append(seen(answer, image))

    def state(self) -> dict[str, Any]:
        """Return `Monitor.state` after all pictures that were noted so far."""
        order = stream(self._seed, "monitor", "order", len(self._notes)).permutation(len(self._notes))
        for index in order:
            self._monitor.note(self._notes[int(index)])
        self._notes.clear()
        return self._monitor.state()
