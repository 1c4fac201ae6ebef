"""Networks that could replace the original."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.data.dataset import UInt8
from foveal.optimize import families
from foveal.optimize.scored_units import Units, scored
from foveal.optimize.throughput import answered_in
from foveal.tasks.recognizer import Recognizer

_FEWEST, _MOST = 128, 256  # pictures that say what units count
_SHARE = 0.2  # of a family's time: for asking them
_BACKWARD = 3.0  # a forward and a backward pass take as long as so many forward passes


def _of_one_size(_: Sequence[int]) -> Mapping[int, UInt8]:
    return {}


@dataclass(frozen=True)
class Start:
    """What families begin with.

    Attributes:
        original: What is to be replaced.
        shown: Pictures or clips that may be looked at, uint8 (N, …, S, S, C), N ≥ 2; the first of them are a
            fair draw.
        macs: Multiply-adds of the original for one picture.
        seconds: That one family may think; what cannot be done in it is left out.
        seed: Of every random choice, such as the weights of fresh networks.
        at_sizes: Returns for sides in pixels `shown` at that size, made from the files, uint8 (N, s, s, C);
            nothing where there are no files, or reading them takes too long.
    """

    original: Recognizer
    shown: UInt8 = field(repr=False)
    macs: int
    seconds: float = 60.0
    seed: int = 0
    at_sizes: Callable[[Sequence[int]], Mapping[int, UInt8]] = field(default=_of_one_size, repr=False)

    def shown_at(self, size: int) -> UInt8:
        """Return `shown` at the size of the original, or at one that a candidate was found at."""
        return self.shown if size == self.original.preprocess.size else self.at_sizes([size])[size]

    @cached_property
    def units(self) -> Units:
        """What can be removed from the original, and how much it counts: asked once, for all families."""
        seconds = _SHARE * self.seconds / _BACKWARD
        count = answered_in(seconds, self.original, self.shown, at_least=_FEWEST, at_most=_MOST)
        return scored(self.original, self.shown[:count])


@dataclass(frozen=True)
class Candidate:
    """A smaller network that has to be taught.

    Attributes:
        name: Short, and different from the others'.
        steps: What is done to the original to get it, in order, without the teaching; the first is its name.
        make: Makes it, always the same: what is random in it follows from the seed.
        macs: Multiply-adds of one picture.
        parameters: How many numbers it has.
        rate_share: Highest learning rate of its first lesson, as a share of its architecture's own.
        kind: Networks of equal kind are alike: their times lie on one line over their multiply-adds.
        inherits: Whether it has weights of the original; otherwise it has to learn everything anew.
        score: Accuracy before any lesson, on some of the pictures that choose; None: it was not measured.
        predicted: Seconds a picture that are foreseen, by the precision of its graph.
    """

    name: str
    steps: tuple[str, ...]
    make: Callable[[], Recognizer] = field(repr=False)
    macs: int
    parameters: int
    rate_share: float
    kind: str
    inherits: bool
    score: float | None = None
    predicted: Mapping[str, float] = field(default_factory=dict)


def found(start: Start) -> tuple[list[Candidate], dict[str, str]]:
    """Return the candidates of all families, the largest first; and why a family has none, by its name."""
    made: list[Candidate] = []
    without = {}
    for name in catalog.names(families):
        try:
            made += catalog.find(families, name)(start)
        except UsageError as error:
            if error.code != "no_family":
                raise
            without[name] = error.message
    return sorted(made, key=lambda one: -one.macs), without
