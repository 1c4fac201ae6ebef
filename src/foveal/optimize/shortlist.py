"""Which candidates are worth a lesson: pure functions on what is known of them before any.

What cannot keep a limit, saves too little, has forgotten nearly all or is bettered in all respects is left
out; of the rest, those are taken that differ most. That is rung 0 of a successive halving, which costs no
lesson (Jamieson & Talwalkar, 2016; the accuracy after setting the norms anew as the score: Li et al.,
"EagleEye", 2020).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Candidate

_SAVES = 0.25  # of the multiply-adds, or with the aim `size` of the weights
_ERROR = 1.3  # what was foreseen may be too slow by this factor
_OVERHEAD_BYTES = 20_000  # of a bundle besides its weights
_REMEMBERS = 0.2  # of the original's accuracy above chance; below, a fresh network learns as quickly
_LIMITS = ("too_slow", "too_large")
_NEEDED = 0.15  # of the multiply-adds; less is taken only where a limit asks for it


@dataclass(frozen=True)
class Criteria:
    """What candidates are held against.

    Attributes:
        macs, parameters: Of the original.
        accuracy: Of the original, on the pictures that gave the scores.
        chance: Accuracy of always naming the most frequent class there.
        budget: The limits.
    """

    macs: int
    parameters: int
    accuracy: float
    chance: float
    budget: Budget


def affordable(found: Sequence[Candidate], criteria: Criteria) -> dict[str, str]:
    """Return why candidates are left out before anything is made of them, by name: a code.

    `saves_little`, `too_slow`, `too_large`, `smaller_than_needed`. Where none is left because
    of a limit, the smallest one stays: what it can do is the answer to what would be feasible.
    """
    gone: dict[str, str] = {}
    for one in found:
        code = _excess(one, criteria)
        if code:
            gone[one.name] = code
    left = [one for one in found if one.name not in gone]
    if any(one.macs >= _NEEDED * criteria.macs for one in left):
        gone |= {one.name: "smaller_than_needed" for one in left if one.macs < _NEEDED * criteria.macs}
    limited = [one for one in found if gone.get(one.name) in _LIMITS]
    if limited and not left:
        del gone[min(limited, key=lambda one: one.macs).name]
    return gone


def _excess(one: Candidate, criteria: Criteria) -> str:
    budget = criteria.budget
    lighter = budget.aim == "size" and one.parameters <= (1 - _SAVES) * criteria.parameters
    if one.macs > (1 - _SAVES) * criteria.macs and not lighter:
        return "saves_little"
    if budget.latency_seconds and one.predicted and _time(one) > _ERROR * budget.latency_seconds:
        return "too_slow"
    # In large layers a weight takes half a byte at least; a file is never smaller than that.
    if budget.size_bytes and one.parameters / 2 + _OVERHEAD_BYTES > budget.size_bytes:
        return "too_large"
    return ""


def promising(
    found: Sequence[Candidate], criteria: Criteria, *, most: int
) -> tuple[list[str], dict[str, str]]:
    """Return the names of those that get a lesson, the surest first, and why the others get none: a code.

    `forgot`, `dominated` (another one inherits, too, and is as good in score, time and weights), `alike`.

    Args:
        found: Candidates; those that inherit have a score.
        criteria: What they are held against.
        most: How many get a lesson at most.
    """
    scored = [one for one in found if one.score is not None]
    gone = {one.name: "forgot" for one in scored if _kept(one, criteria) < _REMEMBERS}
    left = [one for one in found if one.name not in gone]
    gone |= {one.name: "dominated" for one in left if any(_betters(other, one) for other in left)}
    left = [one for one in left if one.name not in gone]
    taken: list[Candidate] = []
    while left and len(taken) < most:
        best = max(left, key=lambda one: _worth(one, taken, criteria))
        taken.append(best)
        left.remove(best)
    return [one.name for one in taken], gone | {one.name: "alike" for one in left}


def _kept(one: Candidate, criteria: Criteria) -> float:
    """Return which share of the original's accuracy above chance is left without a lesson."""
    above = criteria.accuracy - criteria.chance
    return ((one.score or 0.0) - criteria.chance) / above if above > 0 else 1.0


def _betters(one: Candidate, other: Candidate) -> bool:
    """Return whether a candidate that inherits is as good as another one in all respects, and not equal."""
    if one.score is None or other.score is None:
        return False
    foreseen = bool(one.predicted and other.predicted)
    first, second = (
        (-score, _time(each) if foreseen else each.macs, each.parameters)
        for each, score in ((one, one.score), (other, other.score))
    )
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))


def _worth(one: Candidate, taken: Sequence[Candidate], criteria: Criteria) -> float:
    """Return the score for the first one, and for others how far they are from the nearest that is taken."""
    if not taken:
        return -1.0 / one.macs if one.score is None else one.score
    return min(math.dist(_place(one, criteria), _place(other, criteria)) for other in taken)


def _place(one: Candidate, criteria: Criteria) -> tuple[float, float, float]:
    """Return where a candidate lies: in halvings of multiply-adds and of weights, and whether it is fresh."""
    return (
        math.log2(one.macs / criteria.macs),
        math.log2(one.parameters / criteria.parameters),
        float(not one.inherits),
    )


def _time(one: Candidate) -> float:
    """Return the least time that is foreseen, in seconds."""
    return min(one.predicted.values())
