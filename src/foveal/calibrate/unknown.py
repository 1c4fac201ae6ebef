"""From how unknown pictures are to a rule: which score, and above which value a picture is unknown.

The choice looks at tuning pictures and at pictures of nothing, the threshold at proving pictures that no
choice has seen, so its promise holds whatever was chosen: Vovk et al., 2005, and Bates et al., "Testing for
Outliers with Conformal p-values", 2023, §2. https://arxiv.org/abs/2104.08279
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from foveal.calibrate import unknowns
from foveal.calibrate.unknowns._bf16 import in_bf16
from foveal.calibrate.unknowns._score import Answers, Float32, Known, Score
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.core.promises import conformal_rank
from foveal.metrics.auroc import auroc
from foveal.tasks.classify.decode import Unknown

ALPHA = 0.05  # of known pictures at most so many are taken for unknown
WORTH = 0.01  # so much more of the area must parameters bring
_FOLDS = 3  # of the kinds, where a score has learned from them
LEAST_BYTES, SHARE = 1 << 16, 0.1  # parameters may take the larger of 64 kB and a tenth of the graph

Fit = Callable[[Known], Score | None]


@dataclass(frozen=True)
class Chosen:
    """The score that a graph gets.

    Attributes:
        score: The one chosen.
        areas: Mean area under the ROC curve over the kinds of unknown pictures, of every score, by name.
    """

    score: Score
    areas: Mapping[str, float] = field(default_factory=dict)


def choose(known: Known, tuning: Answers, strange: Mapping[str, Answers]) -> Chosen:
    """Return the score that tells known from unknown pictures best, of those in `calibrate/unknowns`.

    A score with parameters is taken where it beats the best one without by more than 0.01 of the area: the
    file is to be small. What a score sees beyond these kinds is added to its area. Where a score has learned
    from kinds of unknown pictures, each kind is judged by one that has not seen it. A score with parameters
    that takes known pictures for unknown once what it reads is rounded is left out: the same file may run in
    bf16.

    Args:
        known: What scores are fitted on.
        tuning: What the graph answers for known pictures that it did not learn from, N ≥ 1; with
            `rounded_look` where `known` has looks.
        strange: The same for unknown pictures, by kind; at least one.
    """
    fits: dict[str, Fit] = {name: catalog.find(unknowns, name) for name in catalog.names(unknowns)}
    made = {name: score for name, fit in fits.items() if (score := fit(known)) is not None}
    scores = {name: score for name, score in made.items() if not score.fitted or _is_sturdy(score, tuning)}
    areas = {name: _mean_area(score, fits[name], known, tuning, strange) for name, score in scores.items()}
    free = max((name for name, score in scores.items() if not score.fitted), key=areas.__getitem__)
    worth = {name: areas[name] + score.beyond for name, score in scores.items()}
    best = max(scores, key=worth.__getitem__)
    chosen = best if worth[best] > areas[free] + WORTH else free
    return Chosen(scores[chosen], areas)


def rule(name: str, scores: Float32, *, alpha: float = ALPHA) -> Unknown:
    """Return the rule that takes a known picture for unknown with probability at most `alpha`.

    The threshold is the k-th smallest of the N scores, k = ceil((N + 1)(1 - alpha)), or lies half way from
    there to the next larger one, so that rounding in another engine moves no picture across. Where k > N no
    threshold keeps the promise and it is None.

    Args:
        name: Of the score.
        scores: What the graph that ships answers for N ≥ 0 pictures that were used for nothing else,
            float32 (N,).
        alpha: Promised share, in (0, 1).

    Raises:
        UsageError: The scores or `alpha` are not such.
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha is a share of known pictures in (0, 1); got {alpha}")
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise UsageError(f"need finite scores (N,); got {scores.shape}, or NaN or infinity")
    n = len(scores)
    k = conformal_rank(n, alpha)
    if k > n:
        return Unknown(score=name, threshold=None, alpha=alpha, n=n)
    ranked = np.sort(scores.astype(np.float64))
    above = ranked[ranked > ranked[k - 1]]
    threshold = ranked[k - 1] if not len(above) else (ranked[k - 1] + above[0]) / 2
    return Unknown(score=name, threshold=float(threshold), alpha=alpha, n=n)


def most_bytes(graph_bytes: int) -> int:
    """Return how large the parameters of a score may be in a graph of that length."""
    return max(LEAST_BYTES, int(SHARE * graph_bytes))


def _is_sturdy(score: Score, tuning: Answers) -> bool:
    """Return whether rounding to bf16 pushes at most `ALPHA` more known pictures over their usual threshold.

    Directions in which known pictures hardly differ are magnified most, and rounding moves pictures there.
    """
    features = None if tuning.features is None else in_bf16(tuning.features)
    usual, moved = score.of(tuning), score.of(Answers(features, in_bf16(tuning.logits), tuning.rounded_look))
    threshold = np.quantile(usual, 1 - ALPHA)
    return bool((moved > threshold).mean() <= (usual > threshold).mean() + ALPHA)


def _mean_area(
    score: Score, fit: Fit, known: Known, tuning: Answers, strange: Mapping[str, Answers]
) -> float:
    """Return the mean over the kinds; a score that learned from some is fitted anew without those asked."""
    if not score.exposed:
        return _mean(score, tuning, strange)
    found: list[float] = []
    for fold in range(_FOLDS):
        asked = list(strange)[fold::_FOLDS]
        others = {kind: answers for kind, answers in known.strange.items() if kind not in asked}
        unaware = fit(replace(known, strange=others))
        if unaware is None:
            return 0.0  # it cannot be judged: it is not taken
        found += [_mean(unaware, tuning, {kind: strange[kind]}) for kind in asked]
    return float(np.mean(found))


def _mean(score: Score, tuning: Answers, strange: Mapping[str, Answers]) -> float:
    known = score.of(tuning)
    return float(np.mean([auroc(score.of(a), known).value for a in strange.values()]))
