"""C9: whether the file tells pictures of things it was never taught from those it was.

Two kinds are made here: `far` ones have only the shape of a picture, `near` ones are made of parts of known
pictures. Films of them are made alike in all frames.
Real ones come from the user. The score that the file holds was chosen on kinds of the first two, so
their numbers flatter; those of the user's pictures do not.
Source of the protocol: Yang et al., "OpenOOD", 2022.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.session import Outputs
from foveal.certify.claim import Claim, Promise
from foveal.certify.measurement import Measurement, Section, Shown, Strip
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Answered, Float32, Subject
from foveal.core import catalog
from foveal.core.promises import conformal_rank
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.data.clip import drawn_once
from foveal.data.dataset import UInt8
from foveal.data.sizing import evenly_spaced
from foveal.metrics.aupr import aupr
from foveal.metrics.auroc import auroc
from foveal.metrics.binomial_cdf import incomplete_beta
from foveal.metrics.fpr_at_tpr import fpr_at_tpr
from foveal.metrics.oscr import oscr
from foveal.metrics.set_coverage import surely_covered
from foveal.perturb import unknowns as folder

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


@dataclass(frozen=True)
class _Known:
    """Known pictures that unknown ones are told apart from.

    Attributes:
        scores: How unknown the file finds each, float32 (N,).
        right: Whether it names each rightly, bool (N,).
    """

    scores: Float32
    right: NDArray[np.bool_]


@dataclass(frozen=True)
class _Kind:
    """How one kind of unknown pictures is told apart.

    Attributes:
        scores: How unknown the file finds each, float32 (M,).
        auroc: Area under the ROC curve.
        row: Of the table, as JSON.
        strip: Some of the pictures.
    """

    scores: Float32
    auroc: Measured
    row: dict[str, Any]
    strip: Strip

    @property
    def details(self) -> dict[str, Any]:
        """Return what stands beside the area in its gate."""
        return {key: value for key, value in self.row.items() if key not in ("auroc", "n")}


def _measure(subject: Subject) -> Section:
    test, most = subject.test, subject.level.unknown
    images, _ = test.some(most)
    places = evenly_spaced(len(test), at_most=most)
    known = _Known(strangeness(test)[places], test.right[places])
    found: dict[str, _Kind] = {}
    names = catalog.names(folder)
    told = subject.told("unknown pictures")
    for place, name in enumerate(names):
        made = _made(name, images, stream(subject.seed, "certify", "unknowns", name))
        found[name] = _told_apart(subject, name, made, known)
        told(place + 1, len(names))
    statements = [
        _worst(subject, _FAR_AUROC, {k: v for k, v in found.items() if k not in _NEAR}),
        _worst(subject, _NEAR_AUROC, {k: v for k, v in found.items() if k in _NEAR}),
    ]
    if subject.unknown is not None:
        found["given"] = _told_apart(subject, "given", subject.unknown, known)
    return Section(
        (*statements, *_given(subject, found.get("given")), _promise(subject)),
        tuple(one.strip for one in found.values()),
        {"unknowns": {"score": _score_name(subject), "rows": [one.row for one in found.values()]}},
    )


def _made(name: str, images: UInt8, rng: np.random.Generator) -> UInt8:
    """Return unknown pictures of a kind; films of it stay what they are: a draw holds for all frames."""
    kind = catalog.find(folder, name)
    return drawn_once(lambda pictures, drawn: np.asarray(kind(pictures, rng=drawn)), images, rng)


def _score_name(subject: Subject) -> str:
    rule = subject.predictor.decision.unknown
    return "1 - confidence" if rule is None else rule.score


def strangeness(answers: Outputs | Answered) -> Float32:
    """Return how unknown the file finds each picture, float32 (N,); without a score for it, how unsure it is.

    Args:
        answers: What the file answered for N pictures.
    """
    return 1 - answers.probabilities.max(axis=1) if answers.unknown is None else answers.unknown


def _told_apart(subject: Subject, name: str, images: UInt8, known: _Known) -> _Kind:
    outputs = subject.outputs(images)
    scores = strangeness(outputs)
    area = auroc(scores, known.scores)
    row = {
        "kind": name,
        "auroc": area.as_json(),
        "fpr_at_95_tpr": fpr_at_tpr(scores, known.scores, tpr=0.95).as_json(),
        "aupr": aupr(scores, known.scores),
        "oscr": oscr(-known.scores, known.right, -scores),
        "n": len(scores),
    }
    return _Kind(scores, area, row, _strip(subject, catalog.spoken(name), images, outputs))


def _worst(subject: Subject, claim: Claim, found: Mapping[str, _Kind]) -> Statement:
    name = min(found, key=lambda one: found[one].auroc.value)
    note = (
        f"{catalog.spoken(name)}, the worst of {len(found)} kinds; score: {_score_name(subject)}, which was "
        "chosen on such pictures at sealing: this flatters"
    )
    return claim.estimate(
        found[name].auroc,
        note=note,
        seed=subject.seed,
        details=found[name].details,
        chosen_from=len(found),
    )


def _given(subject: Subject, given: _Kind | None) -> tuple[Statement, Statement]:
    """Return what the pictures say that the user calls unknown."""
    if given is None:
        why = "no pictures of unknown things were given: --unknown PICTURES"
        return _GIVEN_AUROC.not_measured(why), _GIVEN_MISSED.not_measured(why)
    first = _GIVEN_AUROC.estimate(
        given.auroc, note=f"score: {_score_name(subject)}", seed=subject.seed, details=given.details
    )
    rule = subject.predictor.decision.unknown
    if rule is None or rule.threshold is None:
        return first, _GIVEN_MISSED.not_measured("the file has no threshold for unknown pictures")
    missed = int((given.scores <= rule.threshold).sum())
    return first, _GIVEN_MISSED.share(missed, len(given.scores), note=f"threshold {rule.threshold:.4g}")


def _promise(subject: Subject) -> Statement:
    """Return the share of known pictures that the file rejects, held against what it promises."""
    rule = subject.predictor.decision.unknown
    if rule is None or rule.threshold is None:
        return _REJECTED.not_measured("the file has no threshold for unknown pictures")
    n, rejected = len(subject.test), int((strangeness(subject.test) > rule.threshold).sum())
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


def _strip(subject: Subject, title: str, images: UInt8, outputs: Outputs) -> Strip:
    rule = subject.predictor.decision.unknown
    threshold = None if rule is None else rule.threshold
    answers, scores = outputs.probabilities[:_SHOWN].argmax(axis=1), strangeness(outputs)
    shown = []
    for image, answer, score in zip(images[:_SHOWN], answers.tolist(), scores[:_SHOWN].tolist(), strict=True):
        rejected = threshold is not None and score > threshold
        caption = "unknown" if rejected else subject.predictor.classes[answer]
        shown.append(Shown(image, caption, rejected))
    return Strip(f"unknown: {title}", tuple(shown))


unknowns = Measurement("C9", "Unknown things", _claims, _measure)
