"""Candidates made from the original's weights: they remember something, and have to be mended."""

from functools import partial

from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.steps.prune import cut
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.tasks.recognizer import Recognizer

_RATE_SHARE = 0.3  # of a fresh network's learning rate: what is left is to be mended, not learned anew


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


def without_units(start: Start, name: str, counts: dict[str, int]) -> Candidate:
    """Return the candidate that keeps so many units of each group of the original, the best ones."""
    network = cut(start.original, start.units.groups, start.units.scores, counts)
    return inherited(start, name, network)
