"""C9: whether the file tells pictures of things it was never taught from those it was.

Two kinds are made here: `far` ones have only the shape of a picture, `near` ones are made of parts of known
pictures. Real ones come from the user. The score that the file holds was chosen on kinds of the first two, so
their numbers flatter; those of the user's pictures do not.
Source of the protocol: Yang et al., "OpenOOD", 2022.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.certify.claim import Claim, Promise
from foveal.certify.measurement import Measurement, Section, Shown, Strip
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.core import catalog
from foveal.core.promises import conformal_rank
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.data.dataset import UInt8
from foveal.metrics.auroc import auroc
from foveal.metrics.binomial_cdf import incomplete_beta
from foveal.metrics.fpr_at_tpr import fpr_at_tpr
from foveal.metrics.set_coverage import surely_covered
from foveal.perturb import unknowns as folder

Scores = NDArray[np.float32]
_NEAR = ("blend", "jigsaw")  # made of parts of known pictures
_FAR_AUROC = Claim("unknown_far_auroc", "AUROC of made unknowns of another kind, the worst kind", "indicator")
_NEAR_AUROC = Claim(
    "unknown_near_auroc", "AUROC of unknowns made of known parts, the worst kind", "indicator"
)
_GIVEN_AUROC = Claim("unknown_given_auroc", "AUROC of the unknown pictures that were given", "estimate")
_GIVEN_MISSED = Claim(
    "unknown_given_missed", "given unknown pictures that are taken for known ones", "estimate", "at_most"
)
_REJECTED = Claim("known_rejected", "known pictures that are taken for unknown ones", "guarantee", "at_most")
_SHOWN = 8


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_FAR_AUROC, _NEAR_AUROC, _GIVEN_AUROC, _GIVEN_MISSED, _REJECTED)


def _measure(subject: Subject) -> Section:
    images, _ = subject.test.some(subject.level.unknown)
    known = _scores(subject, images)
    rows, strips, found = [], [], {}
    names = catalog.names(folder)
    told = subject.told("unknown pictures")
    for place, name in enumerate(names):
        rng = stream(subject.seed, "certify", "unknowns", name)
        made = catalog.find(folder, name)(images, rng=rng)
        scores = _scores(subject, made)
        found[name] = auroc(scores, known)
        rows.append(_row(name, scores, known, found[name]))
        strips.append(_strip(subject, catalog.spoken(name), made, scores))
        told(place + 1, len(names))
    statements = (
        _worst(subject, _FAR_AUROC, {k: v for k, v in found.items() if k not in _NEAR}),
        _worst(subject, _NEAR_AUROC, {k: v for k, v in found.items() if k in _NEAR}),
        *_given(subject, known, rows, strips),
        _promise(subject),
    )
    return Section(statements, tuple(strips), {"unknowns": {"score": _score_name(subject), "rows": rows}})


def _score_name(subject: Subject) -> str:
    rule = subject.predictor.decision.unknown
    return "1 - confidence" if rule is None else rule.score


def _scores(subject: Subject, images: UInt8) -> Scores:
    """Return how unknown the file finds each picture; one without such a score is unsure at most."""
    outputs = subject.outputs(images)
    return 1 - outputs.probabilities.max(axis=1) if outputs.unknown is None else outputs.unknown


def _row(name: str, scores: Scores, known: Scores, found: Measured) -> dict[str, Any]:
    missed = fpr_at_tpr(scores, known, tpr=0.95)
    return {"kind": name, "auroc": found.as_json(), "fpr_at_95_tpr": missed.as_json(), "n": len(scores)}


def _worst(subject: Subject, claim: Claim, found: Mapping[str, Measured]) -> Statement:
    name = min(found, key=lambda one: found[one].value)
    note = (
        f"{catalog.spoken(name)}, the worst of {len(found)} kinds; score: {_score_name(subject)}, which was "
    )
    note += "chosen on such pictures at sealing: this flatters"
    return claim.estimate(
        found[name], note=note, seed=subject.seed, details={"kind": name}, chosen_from=len(found)
    )


def _given(
    subject: Subject, known: Scores, rows: list[dict[str, Any]], strips: list[Strip]
) -> tuple[Statement, Statement]:
    """Return what the pictures say that the user calls unknown."""
    if subject.unknown is None:
        why = "no pictures of unknown things were given: --unknown PICTURES"
        return _GIVEN_AUROC.not_measured(why), _GIVEN_MISSED.not_measured(why)
    scores = _scores(subject, subject.unknown)
    found = auroc(scores, known)
    rows.append(_row("given", scores, known, found))
    strips.append(_strip(subject, "given", subject.unknown, scores))
    first = _GIVEN_AUROC.estimate(found, note=f"score: {_score_name(subject)}", seed=subject.seed)
    rule = subject.predictor.decision.unknown
    if rule is None or rule.threshold is None:
        why = "the file has no threshold for unknown pictures"
        return first, _GIVEN_MISSED.not_measured(why)
    missed = int((scores <= rule.threshold).sum())
    return first, _GIVEN_MISSED.share(missed, len(scores), note=f"threshold {rule.threshold:.4g}")


def _promise(subject: Subject) -> Statement:
    """Return the share of known pictures that the file rejects, held against what it promises."""
    rule = subject.predictor.decision.unknown
    if rule is None or rule.threshold is None:
        return _REJECTED.not_measured("the file has no threshold for unknown pictures")
    images, _ = subject.test.some(subject.level.images)
    n, rejected = len(images), int((_scores(subject, images) > rule.threshold).sum())

    rank = conformal_rank(rule.n, rule.alpha)
    return _REJECTED.promised(
        rejected,
        n,
        promise=None
        if subject.proving is None
        else Promise(
            1 - surely_covered(rule.n, rule.alpha),
            lambda limit: incomplete_beta(1 - limit, rank, rule.n + 1 - rank),
        ),
        note=f"promised: at most {rule.alpha:.0%} on average over calibrations, by {rule.n} pictures",
        details={"alpha": rule.alpha, "threshold": rule.threshold, "calibration_images": rule.n},
    )


def _strip(subject: Subject, title: str, images: UInt8, scores: Scores) -> Strip:
    rule = subject.predictor.decision.unknown
    threshold = None if rule is None else rule.threshold
    some = images[:_SHOWN]
    answers = subject.named(some)
    shown = []
    for image, answer, score in zip(some, answers.tolist(), scores[:_SHOWN], strict=True):
        rejected = threshold is not None and float(score) > threshold
        caption = "unknown" if rejected else subject.predictor.classes[answer]
        shown.append(Shown(image, caption, rejected))
    return Strip(f"unknown: {title}", tuple(shown))


unknowns = Measurement("C9", "Unknown things", _claims, _measure)
