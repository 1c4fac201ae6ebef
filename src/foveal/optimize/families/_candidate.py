"""A network that could replace the original."""

from collections.abc import Callable
from dataclasses import dataclass, field

from foveal.tasks.recognizer import Recognizer


@dataclass(frozen=True)
class Candidate:
    """A smaller network that has to be taught.

    Attributes:
        name: Short, and different from the others'.
        steps: What is done to the original to get it, in order, without the teaching.
        make: Makes it, always the same.
        macs: Multiply-adds of one picture.
        parameters: How many numbers it has.
        rate_share: Highest learning rate of its first lesson, as a share of its architecture's own.
    """

    name: str
    steps: tuple[str, ...]
    make: Callable[[], Recognizer] = field(repr=False)
    macs: int
    parameters: int
    rate_share: float
