"""A stranger's thresholds: what no calibration gives is refused at opening a bundle, not at an answer."""

import copy
import json
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from foveal.bundle.card import model_card
from foveal.bundle.manifest import digest, parse
from foveal.core.errors import BundleError
from foveal.core.promises import sets_need
from foveal.monitor.monitor import Monitor
from foveal.tasks.classify.decode import Decision, decode
from foveal.tasks.classify.reference import PROPERTIES

HUGE = 10**30
RANGE = {"low": 1.0, "high": 2.0, "below": 3, "above": 4, "n": 200}
GOOD = {
    "abstain": {"threshold": 0.6, "risk": 0.01, "delta": 0.05, "n": 500, "needed": 3},
    "conformal": {
        "method": "raps", "alpha": 0.1, "quantile": 0.7, "n": 500, "delta": 0.05, "penalty": 0.1, "free": 1,
    },
    "unknown": {"score": "energy", "threshold": 1.5, "alpha": 0.05, "n": 100},
    "monitor": {
        "doubt": [0.1, 0.2], "unknown": [1.0, 2.0], "rejected": {"count": 2, "n": 300},
        "quality": dict.fromkeys(PROPERTIES, RANGE),
    },
}  # fmt: skip
MONDRIAN = {
    "method": "mondrian", "alpha": 0.1, "quantile": 0.5, "n": 60,
    "quantiles": [0.5, 0.4, None], "counts": [20, 40, 0],
}  # fmt: skip


def changed(path, value, base=GOOD):
    decision = copy.deepcopy(base)
    place = decision
    *way, last = path.split(".")
    for key in way:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[int(last) if isinstance(place, list) else last] = value
    return decision


def manifest(draft, decision):
    """Return the bytes of a manifest as somebody would write them who knows the format."""
    document = {**draft().as_json(), "decision": decision}
    names = ("golden_inputs.npy", "golden_probabilities.npy", "model.onnx")
    document["members"] = dict.fromkeys(names, "0" * 64)
    return json.dumps({**document, "digest": digest(document)}).encode()


def answered(decision):
    """Use every entry of a decision: answers, the model card's words, and the monitor's."""
    rng = np.random.default_rng(0)
    rows = rng.dirichlet([1, 1, 1], 120).astype(np.float32)
    scores = rng.normal(size=120).astype(np.float32)
    names = [str(i) for i in range(120)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = decode(rows, classes=("a", "b", "c"), decision=decision, sources=names, unknown=scores)
        if decision.monitor is not None:
            monitor = Monitor(decision)
            for label in labels:
                monitor.observe(label, rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            state = monitor.state()
            json.dumps(state, allow_nan=False)
            Monitor.from_json(monitor.to_json(), decision)
    assert all(label.set for label in labels)


def test_a_plain_decision_is_read_and_used(draft):
    found = parse(manifest(draft, GOOD))
    answered(found.decision)
    assert model_card(found)


@pytest.mark.parametrize(
    "path",
    [
        "abstain.threshold", "abstain.risk", "abstain.delta", "abstain.n", "abstain.needed",
        "conformal.alpha", "conformal.quantile", "conformal.n", "conformal.delta", "conformal.penalty",
        "conformal.free", "unknown.alpha", "unknown.n", "unknown.threshold", "monitor.rejected.count",
        "monitor.rejected.n", "monitor.quality.contrast.n", "monitor.quality.contrast.below",
        "monitor.doubt.0", "monitor.unknown.0", "monitor.quality.contrast.low",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [HUGE, -HUGE, 1e-300, 1e300, 10**400])
def test_whatever_number_a_stranger_writes_is_refused_at_opening_or_can_be_answered_with(draft, path, value):
    try:
        found = parse(manifest(draft, changed(path, value)))
    except BundleError:
        return
    answered(found.decision)
    assert model_card(found)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("conformal.free", HUGE), ("conformal.free", 10**9), ("conformal.penalty", 1e308),
        ("abstain.needed", HUGE), ("abstain.needed", -1), ("conformal.alpha", 5e-324),
        ("conformal.delta", 1e-300), ("abstain.threshold", 1e300), ("conformal.quantile", -1e300),
        ("monitor.quality.colour", RANGE), ("monitor.quality.", RANGE),
    ],
)  # fmt: skip
def test_what_would_stop_a_later_answer_is_refused_at_opening(draft, path, value):
    with pytest.raises(BundleError) as caught:
        parse(manifest(draft, changed(path, value)))
    assert caught.value.code == "tampered"


@pytest.mark.parametrize(
    ("path", "value"),
    [("conformal.quantiles.1", 1e300), ("conformal.counts.2", HUGE), ("conformal.counts.2", -1)],
)
def test_entries_of_classes_are_bounded_too(draft, path, value):
    base = {**GOOD, "conformal": MONDRIAN}
    parse(manifest(draft, base))
    with pytest.raises(BundleError):
        parse(manifest(draft, changed(path, value, base)))


@given(
    st.floats(0, 1e6),
    st.integers(0, 10**6),
    st.floats(-1e12, 1e12),
    st.floats(1e-12, 0.999),
    st.integers(0, 10**9),
)
def test_every_rule_that_is_let_in_answers(penalty, free, quantile, alpha, n):
    rule = {"method": "raps", "penalty": penalty, "free": free, "quantile": quantile, "alpha": alpha, "n": n}
    try:
        decision = Decision.model_validate({**GOOD, "conformal": rule, "monitor": None})
    except ValidationError:
        assume(sets_need(alpha) <= n)
        raise
    assert decision.conformal.free == free
    answered(decision)
