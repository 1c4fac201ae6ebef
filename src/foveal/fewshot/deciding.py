"""Which head, how confident, and when a picture is unknown: from answers for pictures that were left out.

Leaving out is no split: every answer comes from a head that knew all the others. What split calibration
proves, a share of at most α, is not proven then (Barber et al., "Predictive inference with the jackknife+",
2021, §1.2: of a close relative 2α is), and is measured as about α (docs/few-shot.md). A bound with a
certainty of its own, as abstaining gives, is not to be had so: its threshold is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.fit import DEFAULT, unproven
from foveal.calibrate.sets.lac import lac
from foveal.calibrate.temperature import calibrated, temperature
from foveal.calibrate.unknown import rule
from foveal.core import catalog
from foveal.core.errors import UnknownNameError
from foveal.fewshot import heads
from foveal.fewshot.cross_fitting import Fit, Fitted, HeldOut, held_out, whole
from foveal.fewshot.taught import Taught
from foveal.metrics.nll import nll
from foveal.tasks.classify.decode import Abstain, Decision

AUTO = "auto"
UNKNOWN = "prototype_cosine"


@dataclass(frozen=True)
class Learned:
    """All that follows from what was taught.

    Attributes:
        head: Name of its file.
        fitted: Space, class means and head, fitted to every picture.
        temperature: Of the logits.
        decision: From answers to an answer.
        held_out: What was answered for pictures that were left out.
        losses: Negative log-likelihood of the held-out pictures under each head that was tried, in nats.
    """

    head: str
    fitted: Fitted = field(repr=False)
    temperature: float
    decision: Decision
    held_out: HeldOut = field(repr=False)
    losses: Mapping[str, float]


def check_head(head: str) -> None:
    """Refuse a head that there is not, before any work.

    Raises:
        UnknownNameError: No file of `fewshot/heads` is called so, and it is not `auto`.
    """
    names = catalog.names(heads)
    if head not in (AUTO, *names):
        raise UnknownNameError("heads", head, (AUTO, *names), hint="--head takes one of these")


def learned(taught: Taught, *, head: str = AUTO) -> Learned:
    """Return the head fitted to all pictures, calibrated on those that were left out in turn.

    Args:
        taught: The pictures.
        head: A file of `fewshot/heads`; `auto`: the one that finds held-out pictures least surprising.

    Raises:
        UnknownNameError: No such head.
    """
    check_head(head)
    names = catalog.names(heads)
    fits: dict[str, Fit] = {name: catalog.find(heads, name) for name in (names if head == AUTO else [head])}
    asked = held_out(taught, fits)
    losses = {name: _loss(asked, logits) for name, logits in asked.logits.items()} if len(asked.rows) else {}
    chosen = head if head != AUTO else min(losses, key=losses.__getitem__) if losses else "cosine"
    degree, decision = _decided(asked, asked.logits[chosen], classes=len(taught.classes))
    return Learned(chosen, whole(taught, {chosen: fits[chosen]})[chosen], degree, decision, asked, losses)


def crossfitted(asked: HeldOut, logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities of held-out pictures, each with the temperature that suits the others, (n, K)."""
    found = np.empty_like(logits)
    for fold in np.unique(asked.folds):
        inside = asked.folds == fold
        others = ~inside if not inside.all() else inside
        found[inside] = calibrated(logits[inside], temperature(logits[others], asked.labels[others]))
    return found


def _loss(asked: HeldOut, logits: NDArray[np.float32]) -> float:
    return float(nll(crossfitted(asked, logits), asked.labels))


def _decided(asked: HeldOut, logits: NDArray[np.float32], *, classes: int) -> tuple[float, Decision]:
    nothing = unproven(DEFAULT, classes=classes)
    n = len(asked.rows)
    unknown = rule(UNKNOWN, asked.unknown)
    if n == 0:
        return 1.0, nothing.model_copy(update={"unknown": unknown})
    abstain = Abstain(
        threshold=None, risk=DEFAULT.risk, delta=DEFAULT.delta, n=n, needed=nothing.abstain.needed
    )
    sets = lac(crossfitted(asked, logits), asked.labels, alpha=DEFAULT.alpha)
    return temperature(logits, asked.labels), Decision(abstain=abstain, conformal=sets, unknown=unknown)
