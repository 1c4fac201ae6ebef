"""C3: thresholds of each class from which on a recall or a precision is proven, and what they do here.

Proven on calibration pictures, for all classes at once (`calibrate.recall_thresholds` after Bates et al.
2021, `calibrate.precision_thresholds` after Angelopoulos et al. 2021); held against the test pictures.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from foveal.calibrate.precision_thresholds import precision_candidates, precision_thresholds
from foveal.calibrate.proven import Floats, ProvenThreshold, losses_of
from foveal.calibrate.recall_thresholds import recall_thresholds
from foveal.certify.claim import Claim, Promise
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.promised_means import Kept, worst_of
from foveal.certify.scene_subject import Located, SceneSubject
from foveal.certify.statement import Statement
from foveal.core.promises import DELTA
from foveal.core.task import OBJECT_TASKS
from foveal.metrics._above import Counts, above
from foveal.metrics.hoeffding_bentkus import hoeffding_bentkus
from foveal.metrics.match import Matches

_NOT_AT_HAND = "calibration pictures are not at hand: the data are others, or some of them chose the file"
_TOLD = {
    "recall": "share of a picture's objects that is found",
    "precision": "share of a picture's findings that is right",
}


def _claims(profile: Profile) -> Sequence[Claim]:
    return (
        *(_claim("recall", level) for level in profile.recalls),
        *(_claim("precision", level) for level in profile.precisions),
    )


def _claim(what: str, level: float) -> Claim:
    key = f"promised_{what}_{100 * level:g}".replace(".", "_")
    return Claim(key, f"{_TOLD[what]} at thresholds that promise {level:.4g}, worst class", "guarantee")


def _measure(subject: SceneSubject) -> Section:
    proving = subject.proving
    if proving is None:
        return Section(tuple(claim.not_measured(_NOT_AT_HAND) for claim in _claims(subject.profile)))
    test = subject.objects(subject.test.done)
    delta = DELTA / len(subject.counted)
    statements = [
        _recall(subject, proving, test, level, delta) for level in subject.profile.recalls
    ] + [
        _precision(subject, proving, test, level, delta) for level in subject.profile.precisions
    ]  # fmt: skip
    return Section(tuple(statements))


def _recall(subject: SceneSubject, proving: Located, test: Matches, level: float, delta: float) -> Statement:
    matches = subject.objects(proving.done)
    proven = recall_thresholds(matches, recall=level, delta=delta)

    def losses(counts: Counts, label: int) -> Floats:
        there = counts.truths[:, label]
        return losses_of(there - counts.right[:, label], there, "share")

    def strength(one: ProvenThreshold) -> Callable[[float], float]:
        # A threshold was taken where the mean loss is at most a critical one: so one that misses a looser
        # limit is taken as seldom as it shows so small a mean.
        critical = _critical(one)
        return lambda limit: hoeffding_bentkus(critical, one.n, 1 - limit) if 0 < limit <= level else 1.0

    return _stated(subject, _claim("recall", level), proven, test, losses, strength)


def _precision(
    subject: SceneSubject, proving: Located, test: Matches, level: float, delta: float
) -> Statement:
    tuning = [proving.done[place] for place in subject.tuning]
    chosen = set(subject.tuning)
    others = [one for place, one in enumerate(proving.done) if place not in chosen]
    claim = _claim("precision", level)
    if not tuning or not others:
        return claim.not_measured("too few calibration pictures: some choose what is proven on the others")
    candidates = precision_candidates(
        subject.objects(tuning), pictures=len(others), precision=level, delta=delta
    )
    proven = precision_thresholds(subject.objects(others), candidates, precision=level, delta=delta)

    def losses(counts: Counts, label: int) -> Floats:
        found = counts.found[:, label]
        return losses_of(found - counts.right[:, label], found, "share")

    def strength(one: ProvenThreshold) -> Callable[[float], float]:
        return lambda limit: one.delta if limit <= level else 1.0

    return _stated(subject, claim, proven, test, losses, strength)


def _stated(
    subject: SceneSubject,
    claim: Claim,
    proven: Sequence[ProvenThreshold],
    test: Matches,
    losses: Callable[[Counts, int], Floats],
    strength: Callable[[ProvenThreshold], Callable[[float], float]],
) -> Statement:
    """Return what the thresholds promise, held against the test pictures, class by class."""
    limits = np.array([np.nan if one.threshold is None else one.threshold for one in proven])
    counts = above(test, limits)
    classes: dict[str, Kept] = {}
    unproven: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for label in subject.counted:
        name, one = subject.predictor.classes[label], proven[label]
        row: dict[str, Any] = {
            "class": name,
            "threshold": one.threshold,
            "pictures": one.n,
            "needed": one.needed,
        }
        if one.threshold is None:
            unproven[name] = _why(one)
        elif len(lost := losses(counts, label)) == 0:
            unproven[name] = "no test picture has one"
        else:
            classes[name] = Kept(lost, Promise(1 - one.limit, strength(one)))
            row["here"] = classes[name].measured().as_json()
        rows.append(row)
    level, delta = 1 - proven[0].limit, proven[0].delta
    details = {"promised": level, "delta": DELTA, "classes": rows}
    note = f"promised: {level:.4g} for all classes with a certainty of {1 - DELTA:.0%} ({1 - delta:.2%} each)"
    if not classes:
        why = "; ".join(f"{name}: {reason}" for name, reason in unproven.items())
        return Statement(claim, None, None, why, details=details)
    return worst_of(claim, classes, unproven=unproven, note=note, details=details)


def _why(one: ProvenThreshold) -> str:
    if one.n == 0:
        return "no calibration picture has one"
    seen = "" if one.observed is None else f", on which {1 - one.observed:.1%} came out"
    many = f"; about {one.needed:,} would do" if one.needed else ""
    return f"no threshold could be proven with {one.n} pictures{seen}{many}"


def _critical(one: ProvenThreshold) -> float:
    """Return the largest mean loss that would have proven a threshold, within a millionth, from below."""
    few, many = one.observed or 0.0, one.limit
    while many - few > 1e-6:
        middle = (few + many) / 2
        few, many = (
            (middle, many) if hoeffding_bentkus(middle, one.n, one.limit) <= one.delta else (few, middle)
        )
    return few


objects_thresholds = Measurement("C3", "Promised thresholds", _claims, _measure, tasks=OBJECT_TASKS)
