"""C4: whether prediction sets hold the truth as often as promised, and how large they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Evidence, Statement
from foveal.certify.subject import Subject
from foveal.core.types import Measured
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.set_coverage import set_coverage, surely_covered
from foveal.tasks.classify.decode import Conformal, prediction_sets

Bools = NDArray[np.bool_]
_COVERED = Claim("set_coverage", "prediction sets that hold the truth", "guarantee")
_WORST = Claim("worst_class_coverage", "prediction sets that hold the truth, worst class", "estimate")
_SIZE = Claim("set_size", "mean number of classes in a prediction set", "estimate", "at_most")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_COVERED, _WORST, _SIZE)


def _measure(subject: Subject) -> Section:
    test, rule = subject.test, subject.predictor.decision.conformal
    sets = prediction_sets(test.probabilities, rule)
    if rule.quantile is None:
        why = f"{rule.n} calibration pictures are too few for a set that is less than all classes"
        return Section(tuple(claim.not_measured(why) for claim in (_COVERED, _WORST, _SIZE)))
    held = sets[np.arange(len(test)), test.labels]
    sizes = bootstrap(sets.sum(axis=1).astype(np.float64), draws=subject.level.draws, seed=subject.seed)
    return Section(
        (
            _coverage(rule, sets, test.labels),
            _worst(subject, held, test.labels),
            _SIZE.estimate(sizes, seed=subject.seed),
        )
    )


def _coverage(rule: Conformal, sets: Bools, labels: NDArray[np.int64]) -> Statement:
    """Return the promise of the sets, held against the test pictures.

    Of m test pictures the number covered is Beta-binomial where the promise holds; a calibration as unlucky
    as one in 20 covers `surely_covered`, and fewer hits than that allows refute the promise.
    """
    found = set_coverage(sets, labels)
    hits = round(found.coverage.value * len(labels))
    surely = surely_covered(rule.n, rule.alpha)

    def evidence(limit: float) -> Evidence:
        promised = 1 - rule.alpha >= limit  # who demands more than that is answered by the test pictures
        refuted = binomial_cdf(hits, len(labels), min(limit, surely) if promised else limit)
        holds = promised and refuted > 0.05
        return Evidence(0.0 if holds else 1.0, refuted, lambda level: None)

    return Statement(
        _COVERED,
        found.coverage,
        evidence,
        note=f"promised: {1 - rule.alpha:.0%} on average over calibrations, at least {surely:.1%} with a "
        f"certainty of 95 %, by {rule.n} calibration pictures; the test pictures can only refute it",
        details={
            "alpha": rule.alpha,
            "method": rule.method,
            "calibration_images": rule.n,
            "singletons": found.singleton_share.as_json(),
        },
    )


def _worst(subject: Subject, held: Bools, labels: NDArray[np.int64]) -> Statement:
    """Return the class whose sets hold it least often; the promise is about all classes together."""
    present = np.unique(labels)
    confidence = 1 - 0.05 / len(present)
    rows: list[tuple[str, Measured]] = [
        (
            subject.predictor.classes[k],
            clopper_pearson(int(held[labels == k].sum()), int((labels == k).sum()), confidence),
        )
        for k in present.tolist()
    ]
    name, worst = min(rows, key=lambda row: (row[1].value, row[1].low))
    low, high = (min(getattr(row[1], end) for row in rows) for end in ("low", "high"))
    classes: list[dict[str, Any]] = [{"class": each, "coverage": found.as_json()} for each, found in rows]
    return _WORST.estimate(
        Measured(worst.value, low, high, worst.n, worst.method),
        note=f"{name}; the sets promise an average over classes, not this",
        details={"classes": classes},
    )


sets = Measurement("C4", "Prediction sets", _claims, _measure)
