"""What can be removed from the original, and how much each unit counts."""

import time
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from foveal.data.dataset import UInt8
from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.channels import Group, groups
from foveal.optimize.importance._shares import Scores
from foveal.optimize.importance.fisher import fisher
from foveal.optimize.steps.prune import cut
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

_FEWEST, _MOST = 128, 256  # pictures that are asked
_TIMED = 16  # pictures
_SHARE = 0.2  # of a family's time: for asking what units count
_BACKWARD = 3.0  # a forward and a backward pass take as long as so many forward passes
_RATE_SHARE = 0.3  # of a fresh network's learning rate: what is left is to be mended, not learned anew


@dataclass(frozen=True)
class Units:
    """The groups of a network with the scores of their units.

    Attributes:
        groups: That may lose units.
        scores: Of the units of each, float64 (units,).
    """

    groups: tuple[Group, ...]
    scores: tuple[Scores, ...] = field(repr=False)


def scored(start: Start) -> Units:
    """Return what can be removed, with scores from the gradients of some pictures.

    Each picture's class is what the original says. Measured (docs/benchmarks.md, "Without training"): of a
    network whose filters the optimizer keeps at one length, lengths of weights say nothing.
    """
    preprocess = start.original.preprocess
    made = groups(start.original.network, channels=preprocess.channels, size=preprocess.size)
    some = pictures(start, _SHARE * start.seconds / _BACKWARD, at_least=_FEWEST)
    asked = Examples(some, np.full(len(some), -1, dtype=np.int64), np.arange(len(some)))
    return Units(made, fisher(start.original, made, asked))


def pictures(start: Start, seconds: float, *, at_least: int) -> UInt8:
    """Return as many pictures as the original answers in a time, within `at_least` and 256."""
    few = start.shown[:_TIMED]
    start.original.logits(few)  # the first call prepares what later ones reuse
    began = time.monotonic()
    start.original.logits(few)
    rate = len(few) / max(time.monotonic() - began, 1e-6)
    return start.shown[: int(min(_MOST, max(at_least, rate * seconds)))]


def smaller(start: Start, units: Units, name: str, counts: dict[str, int]) -> Candidate:
    """Return the candidate that keeps so many units of each group, the best ones."""
    network = cut(start.original, units.groups, units.scores, counts)
    return inherited(start, name, network)


def inherited(start: Start, name: str, made: Recognizer, *, kind: str = "") -> Candidate:
    """Return the candidate whose network was made from the original's; its norms are set anew by pictures.

    Args:
        start: What it began with.
        name: Of the candidate.
        made: Its network.
        kind: What sets its layers apart from those of its architecture, in a word.
    """
    found = made.cost()
    return Candidate(
        name,
        (name,),
        partial(recalibrated, made, start.shown),
        found.macs,
        found.parameters,
        rate_share=_RATE_SHARE,
        kind=f"{made.architecture} {kind}".strip(),
        inherits=True,
    )
