"""C4: whether prediction sets hold the truth as often as promised, and how large they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.pac_rank import pac_rank
from foveal.calibrate.sets.aps import aps
from foveal.calibrate.sets.lac import lac
from foveal.calibrate.sets.mondrian import mondrian
from foveal.calibrate.sets.raps import Penalty, penalty_for, raps
from foveal.certify.claim import Claim, Promise
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Answered, Subject
from foveal.core.promises import DELTA, conformal_rank
from foveal.metrics.beta_band import BetaBand, beta_band
from foveal.metrics.binomial_cdf import incomplete_beta
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.class_coverage import ClassCoverage, class_coverage
from foveal.metrics.quantile import quantile
from foveal.metrics.set_coverage import set_coverage, surely_covered
from foveal.metrics.singletons import Singletons, singletons
from foveal.metrics.size_stratified_coverage import Stratum, size_stratified_coverage
from foveal.tasks.classify.decode import Conformal, prediction_sets

Bools = NDArray[np.bool_]
_COVERED = Claim("set_coverage", "prediction sets that hold the truth", "guarantee")
_WORST = Claim("worst_class_coverage", "prediction sets that hold the truth, worst class", "estimate")
_SIZE = Claim("set_size", "mean number of classes in a prediction set", "estimate", "at_most", "count")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_COVERED, _WORST, _SIZE)


def _measure(subject: Subject) -> Section:
    test, rule = subject.test, subject.predictor.decision.conformal
    figures = {"sets": compared(subject)}
    if rule.quantile is None:
        why = f"{rule.n} calibration pictures are too few for a set that is less than all classes"
        unmeasured = tuple(claim.not_measured(why) for claim in (_COVERED, _WORST, _SIZE))
        return Section(unmeasured, figures=figures)
    sets = prediction_sets(test.probabilities, rule)
    sizes = sets.sum(axis=1).astype(np.float64)
    mean = bootstrap(sizes, draws=subject.level.draws, seed=subject.seed)
    return Section(
        (
            _coverage(subject, rule, sets),
            _worst(subject, class_coverage(sets, test.labels, alpha=rule.alpha)),
            _SIZE.estimate(mean, seed=subject.seed, details={"p95": quantile(sizes, 0.95).value}),
        ),
        figures=figures,
    )


def _coverage(subject: Subject, rule: Conformal, sets: Bools) -> Statement:
    """Return the promise of the sets, held against the test pictures.

    Given the calibration, the sets of these scores cover Beta(k, n + 1 - k), k the rank of their quantile
    (Vovk 2012), or more where scores tie: the probability that this lies below a limit is the evidence that
    the calibration gives. 1 - alpha itself is kept by about every second calibration only.
    """
    labels = subject.test.labels
    found = set_coverage(sets, labels)
    hits = round(found.coverage.value * len(labels))
    rank, surely = conformal_rank(rule.n, rule.alpha), surely_covered(rule.n, rule.alpha)
    said = f"{1 - rule.alpha:.0%} on average over calibrations, {surely:.1%} with a certainty of 95%"
    if rule.delta is not None:
        rank, surely = pac_rank(rule.n, rule.alpha, rule.delta), 1 - rule.alpha
        said = f"{surely:.0%} with a certainty of {1 - rule.delta:.0%}"

    def proven(limit: float) -> float:
        if rule.method == "mondrian":  # each class has a quantile of its own
            return 1.0
        return incomplete_beta(limit, rank, rule.n + 1 - rank)

    return _COVERED.promised(
        hits,
        len(labels),
        promise=None if subject.proving is None else Promise(surely, proven),
        note=f"promised: {said}, by {rule.n} calibration pictures",
        details={
            "alpha": rule.alpha,
            "method": rule.method,
            "calibration_images": rule.n,
            **_singletons(singletons(sets, labels)),
            "by_size": [
                {"classes_in_set": _range(one), "coverage": one.coverage.as_json()}
                for one in size_stratified_coverage(sets, labels)
            ],
        },
    )


def _singletons(found: Singletons) -> dict[str, Any]:
    return {
        "singletons": found.share.as_json(),
        "singletons_right": None if found.right is None else found.right.as_json(),
        "empty": found.empty.as_json(),
    }


def _range(stratum: Stratum) -> str:
    least, most = max(1, stratum.least), stratum.most  # the best class is in every set
    return str(least) if least == most else f"{least} to {most}"


def _worst(subject: Subject, found: ClassCoverage) -> Statement:
    """Return the class whose sets hold it least often; the promise is about all classes together."""
    names = [subject.predictor.classes[k] for k in found.classes]
    classes: list[dict[str, Any]] = [
        {"class": name, "coverage": one.as_json()} for name, one in zip(names, found.coverage, strict=True)
    ]
    present = set(found.classes)
    return _WORST.worst(
        {name: (round(one.value * one.n), one.n) for name, one in zip(names, found.coverage, strict=True)},
        unseen=[name for k, name in enumerate(subject.predictor.classes) if k not in present],
        note="the sets promise an average over classes, not this",
        details={"gap": found.gap, "classes": classes},
    )


def compared(subject: Subject) -> list[dict[str, Any]]:
    """Return what every rule of sets would do, fitted on the pictures that prove and measured on the test.

    The file holds one rule; these are what it could have been. Nothing was chosen by looking at them.
    """
    if subject.proving is None:
        return []
    rows = []
    for alpha in subject.profile.alphas:
        rows += [_row(subject, name, rule) for name, rule in _rules(subject, subject.proving, alpha)]
    return rows


def _rules(subject: Subject, proving: Answered, alpha: float) -> list[tuple[str, Conformal]]:
    probabilities, labels, tuning = proving.probabilities, proving.labels, subject.tuning
    penalty = Penalty() if tuning is None else penalty_for(tuning.probabilities, tuning.labels, alpha=alpha)
    return [
        ("lac", lac(probabilities, labels, alpha=alpha)),
        ("aps", aps(probabilities, labels, alpha=alpha)),
        ("raps", raps(probabilities, labels, alpha=alpha, penalty=penalty)),
        ("mondrian", mondrian(probabilities, labels, alpha=alpha)),
        ("pac lac", lac(probabilities, labels, alpha=alpha, delta=DELTA)),
    ]


def _row(subject: Subject, name: str, rule: Conformal) -> dict[str, Any]:
    test = subject.test
    found = prediction_sets(test.probabilities, rule)
    covered = set_coverage(found, test.labels)
    by_class = class_coverage(found, test.labels, alpha=rule.alpha)
    band = _band(rule, len(test))
    worst = by_class.coverage[by_class.classes.index(by_class.worst)]
    hits = round(covered.coverage.value * len(test))
    return {
        "rule": name,
        "promised": 1 - rule.alpha,
        "coverage": covered.coverage.as_json(),
        "band_low": None if band is None else band.low,
        "band_high": None if band is None else band.high,
        "above_band_low": None if band is None else hits >= band.fewest,
        "mean_size": covered.mean_size,
        "worst_class": subject.predictor.classes[by_class.worst],
        "worst_coverage": worst.as_json(),
        "class_gap": by_class.gap,
        "singletons": covered.singleton_share.as_json(),
    }


def _band(rule: Conformal, m: int) -> BetaBand | None:
    """Return where the coverage of m test pictures must lie in 99 of 100 cases; None: no such band is known.

    It is exact for one quantile over scores that do not tie. Each class of `mondrian` has one of its own.
    Sets that always hold the best class (of a good network, `aps` too) may lie above it, never below.
    """
    if rule.quantile is None or rule.method == "mondrian":
        return None
    rank = None if rule.delta is None else pac_rank(rule.n, rule.alpha, rule.delta)
    return beta_band(rule.n, m, alpha=rule.alpha, rank=rank)


sets = Measurement("C4", "Prediction sets", _claims, _measure)
