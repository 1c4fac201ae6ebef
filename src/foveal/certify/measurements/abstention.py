"""C3: what is promised of the answers where the recognizer may decline, and how many it gives."""

from collections.abc import Sequence
from typing import Any

from foveal.calibrate.guaranteed_coverage import Guaranteed, Scored, guaranteed_coverage
from foveal.calibrate.sgr import sgr
from foveal.certify.claim import Claim, Promise
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Answered, Subject
from foveal.metrics.coverage_at_risk import coverage_at_risk
from foveal.metrics.risk_coverage import risk_coverage
from foveal.metrics.selective_areas import selective_areas
from foveal.tasks.classify.decode import Abstain

_RISK = Claim("selective_risk", "share of errors among its answers", "guarantee", "at_most")
_ANSWERED = Claim("answered", "share of pictures that it answers at the promised risk", "estimate")
_AURC = Claim("aurc", "mean share of errors over all thresholds of declining", "estimate", "at_most", "plain")
_E_AURC = Claim(
    "e_aurc", "the same beyond what its errors would cost if all came last", "estimate", "at_most", "plain"
)
_AUGRC = Claim(
    "augrc", "chance of an error that is not caught, mean over all thresholds", "estimate", "at_most", "plain"
)


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_RISK, _ANSWERED, _AURC, _E_AURC, _AUGRC)


def _measure(subject: Subject) -> Section:
    test, promised = subject.test, subject.predictor.decision.abstain
    curve = risk_coverage(test.probabilities, test.labels)
    figures: dict[str, Any] = {
        "risk_coverage": {"points": curve.points(), "aurc": curve.aurc, "promised": promised.risk}
    }
    if subject.tuning is not None and subject.proving is not None:
        figures["coverage_at"] = _at_risks(subject, subject.tuning, subject.proving, promised.delta)
    return Section((*_promise(subject, promised), *_areas(subject)), figures=figures)


def _areas(subject: Subject) -> tuple[Statement, ...]:
    test, seed = subject.test, subject.seed
    found = selective_areas(test.probabilities, test.labels, draws=subject.level.draws, seed=seed)
    pairs = ((_AURC, found.aurc), (_E_AURC, found.e_aurc), (_AUGRC, found.augrc))
    return tuple(claim.estimate(area, seed=seed) for claim, area in pairs)


def _promise(subject: Subject, promised: Abstain) -> tuple[Statement, ...]:
    """Return what the file's threshold promises, held against the test pictures."""
    if promised.threshold is None:
        why = f"no threshold could be proven with {promised.n} pictures"
        if promised.needed is not None:
            why += f"; it takes {promised.needed} answers without an error"
        return _RISK.not_measured(why), _ANSWERED.not_measured(why)
    test = subject.test
    found = coverage_at_risk(test.probabilities, test.labels, threshold=promised.threshold)
    answered = round(found.coverage.value * len(test))
    share = _ANSWERED.share(answered, len(test))
    if found.risk is None:
        return _RISK.not_measured("it answered none of the test pictures"), share
    wrong = round(found.risk.value * answered)

    risk = _RISK.promised(
        wrong,
        answered,
        promise=None
        if subject.proving is None
        else Promise(promised.risk, lambda limit: promised.delta if promised.risk <= limit else 1.0),
        note=f"promised: at most {promised.risk:.1%} with a certainty of {1 - promised.delta:.0%}, proven on "
        f"{promised.n} calibration pictures",
        details={"promised": promised.risk, "delta": promised.delta, "threshold": promised.threshold},
    )
    return risk, share


def _at_risks(subject: Subject, tuning: Answered, proving: Answered, delta: float) -> list[dict[str, Any]]:
    """Return how many pictures could be answered if other risks were promised, by two ways to prove it."""
    roles = [Scored.of(one.probabilities, one.labels) for one in (tuning, proving, subject.test)]
    risks = subject.profile.risks
    tested = guaranteed_coverage(*roles, risks=risks, delta=delta)
    searched = guaranteed_coverage(*roles, risks=risks, delta=delta, bound=sgr)
    return [_at_risk(*pair) for pair in zip(tested, searched, strict=True)]


def _at_risk(found: Guaranteed, searched: Guaranteed) -> dict[str, Any]:
    rule, coverage = found.abstain, searched.coverage
    return {
        "risk": rule.risk,
        "delta": rule.delta,
        "threshold": rule.threshold,
        "needed": rule.needed,
        "coverage": None if found.coverage is None else found.coverage.as_json(),
        "sgr_threshold": searched.abstain.threshold,
        "sgr_coverage": None if coverage is None else coverage.as_json(),
    }


abstention = Measurement("C3", "Declining", _claims, _measure)
