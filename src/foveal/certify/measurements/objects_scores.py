"""C2: whether of all findings with a score of 80 % eight in ten are there.

Source: Küppers et al., "Multivariate Confidence Calibration for Object Detection", CVPR workshops 2020. What
was missed has no score, so nothing is said of recall.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.scene_subject import SceneSubject
from foveal.certify.statement import NOTHING_SHOWN, Evidence, Statement
from foveal.core.random import stream
from foveal.core.task import OBJECT_TASKS
from foveal.metrics._resampled import Floats, Resampled
from foveal.metrics.detection_ece import detection_ece
from foveal.metrics.ece import BINS, bin_of
from foveal.metrics.match import Matches

NOISE = 0.05  # score up to which findings say nothing, as in `foveal evaluate`
_ERROR = Claim("score_error", "how far scores are from the share that is right", "estimate", "at_most")
_FEWEST = 30  # pictures below which a normal test says nothing
_NORMAL = NormalDist()


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_ERROR,)


def _measure(subject: SceneSubject) -> Section:
    matches = subject.objects(subject.test.done)
    found = detection_ece(matches, above=NOISE).pooled
    if found is None:
        return Section((_ERROR.not_measured(f"nothing is found with a score above {NOISE:.0%}"),))
    statement = _error_of(matches, draws=subject.level.draws, seed=subject.seed)
    details = {
        "debiased": found.debiased,
        "mean_score": found.score,
        "precision": found.precision,
        "findings": found.n,
    }
    note = f"{BINS} bins of equal width; findings with a score above {NOISE:.0%}"
    said = Statement(_ERROR, statement.value, statement.evidence, note, subject.seed, details)
    return Section((said,), figures={"scores": _bins(matches)})


def _error_of(matches: Matches, *, draws: int, seed: int) -> Statement:
    """Return what the calibration error says of a limit.

    It is above 0 by chance. That a limit is kept is judged by the error as it is, whose spread is that of
    resamples; that it is missed, by how seldom chance on top of the limit reaches it. Chance is what is left
    of the pictures' own errors where a toss decides the sign of each (a wild bootstrap, Wu 1986).
    """
    gaps, counts = _columns(matches)

    def error(times: NDArray[np.int64]) -> Floats:
        found: Floats = np.abs(times @ gaps).sum(axis=1) / np.maximum(1, times @ counts)
        return found

    worth = Resampled.of(len(counts), error, draws=draws, seed=seed)
    spread = float(worth.drawn.std())
    tosses = stream(seed, "certify", "scores").choice([-1.0, 1.0], (draws, len(counts)))
    chance = np.abs(tosses @ (gaps - gaps.mean(axis=0))).sum(axis=1) / counts.sum()

    def evidence(limit: float) -> Evidence:
        if spread <= 0 or worth.images < _FEWEST:
            return NOTHING_SHOWN
        kept = _NORMAL.cdf((worth.value - limit) / spread)
        missed = (1 + int((chance + limit >= worth.value).sum())) / (1 + draws)
        # How many pictures would decide depends on the true error, which is what nobody knows.
        return Evidence(kept, missed, lambda level: None)

    return Statement(_ERROR, worth.measured(), evidence)


def _columns(matches: Matches) -> tuple[Floats, NDArray[np.int64]]:
    """Return of each picture what is right less what was promised, by bin, (N, B), and findings, (N,)."""
    right, ignored = matches.only()
    kept, pictures = ~ignored & (matches.scores > NOISE), len(matches.truths)
    cells = matches.images[kept] * BINS + bin_of(matches.scores[kept], BINS)
    gaps = np.bincount(cells, weights=right[kept] - matches.scores[kept], minlength=pictures * BINS)
    table: Floats = gaps.astype(np.float64).reshape(pictures, BINS)
    return table, np.bincount(matches.images[kept], minlength=pictures)


def _bins(matches: Matches) -> list[dict[str, Any]]:
    """Return mean score and share of right findings of every bin that holds one."""
    right, ignored = matches.only()
    kept = ~ignored & (matches.scores > NOISE)
    scores, true = matches.scores[kept], right[kept]
    which = bin_of(scores, BINS)
    return [
        {
            "score_from": place / BINS,
            "score_to": (place + 1) / BINS,
            "findings": int((which == place).sum()),
            "mean_score": float(scores[which == place].mean()),
            "right": float(true[which == place].mean()),
        }
        for place in np.unique(which).tolist()
    ]


objects_scores = Measurement("C2", "Scores", _claims, _measure, tasks=OBJECT_TASKS)
