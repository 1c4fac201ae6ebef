"""C3: what is promised of the answers where the recognizer may decline, and how many it gives."""

from collections.abc import Sequence
from typing import Any

from foveal.calibrate.abstain import abstain, candidates
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Evidence, Statement
from foveal.certify.subject import Answered, Subject
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.coverage_at_risk import coverage_at_risk
from foveal.metrics.risk_coverage import risk_coverage
from foveal.tasks.classify.decode import Abstain

_RISK = Claim("selective_risk", "share of errors among its answers", "guarantee", "at_most")
_ANSWERED = Claim("answered", "share of pictures that it answers at the promised risk", "estimate")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_RISK, _ANSWERED)


def _measure(subject: Subject) -> Section:
    test, promised = subject.test, subject.predictor.decision.abstain
    curve = risk_coverage(test.probabilities, test.labels)
    figures: dict[str, Any] = {
        "risk_coverage": {"points": curve.points(), "aurc": curve.aurc, "promised": promised.risk}
    }
    if subject.tuning is not None and subject.proving is not None:
        figures["coverage_at"] = [
            _at_risk(subject.tuning, subject.proving, test, risk, promised.delta)
            for risk in subject.profile.risks
        ]
    return Section(_promise(subject, promised), figures=figures)


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

    def evidence(limit: float) -> Evidence:
        # The promise was proven on other pictures at delta; the test pictures can only refute it.
        refuted = 1 - binomial_cdf(wrong - 1, answered, limit)
        holds = promised.risk <= limit and refuted > promised.delta
        return Evidence(0.0 if holds else 1.0, refuted, lambda level: None)

    risk = Statement(
        _RISK,
        found.risk,
        evidence,
        note=f"promised: at most {promised.risk:.1%} with a certainty of {1 - promised.delta:.0%}, proven on "
        f"{promised.n} calibration pictures; measured on the test pictures, which can only refute it",
        details={"promised": promised.risk, "delta": promised.delta, "threshold": promised.threshold},
    )
    return risk, share


def _at_risk(
    tuning: Answered, proving: Answered, test: Answered, risk: float, delta: float
) -> dict[str, Any]:
    """Return how many pictures could be answered if another risk were promised."""
    thresholds = candidates(
        tuning.probabilities.max(axis=1), tuning.right, images=len(proving), risk=risk, delta=delta
    )
    found = abstain(
        proving.probabilities.max(axis=1), proving.right, thresholds=thresholds, risk=risk, delta=delta
    )
    if found.threshold is None:
        return {"risk": risk, "delta": delta, "threshold": None, "needed": found.needed, "coverage": None}
    answered = int((test.probabilities.max(axis=1) >= found.threshold).sum())
    coverage = clopper_pearson(answered, len(test)).as_json()
    return {"risk": risk, "delta": delta, "threshold": found.threshold, "needed": None, "coverage": coverage}


abstention = Measurement("C3", "Declining", _claims, _measure)
