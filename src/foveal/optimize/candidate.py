"""Networks that could replace the original."""

from collections.abc import Callable
from dataclasses import dataclass, field

from foveal.core import catalog
from foveal.data.dataset import UInt8
from foveal.optimize import families
from foveal.tasks.recognizer import Recognizer

_LARGEST = 0.75  # of the original's multiply-adds: a candidate that saves less is not worth a lesson


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
        inherits: Whether it begins with weights of the original: then they come from where those came from.
    """

    name: str
    steps: tuple[str, ...]
    make: Callable[[], Recognizer] = field(repr=False)
    macs: int
    parameters: int
    rate_share: float
    inherits: bool = True


def candidates(
    original: Recognizer, shown: UInt8, *, macs: int, parameters: float, most: int
) -> list[Candidate]:
    """Return candidates of all families that are clearly smaller than the original, the largest first.

    Where there are more than wanted, some are left out evenly, by their multiply-adds.

    Args:
        original: What is to be replaced.
        shown: Pictures that may be looked at, uint8 (N, S, S, C).
        macs: Multiply-adds of the original for one picture.
        parameters: That a candidate may have at most.
        most: How many to return at most.
    """
    names = catalog.names(families)
    found = [one for name in names for one in catalog.find(families, name)(original, shown)]
    smaller = [one for one in found if one.macs <= _LARGEST * macs and one.parameters <= parameters]
    smaller.sort(key=lambda one: -one.macs)
    if len(smaller) <= most:
        return smaller
    return [smaller[round(place * (len(smaller) - 1) / (most - 1))] for place in range(most)]
