"""tasks.classify.decode: labels by name, sets that never are empty, abstention exactly at the threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.tasks.classify.decode import Abstain, Conformal, Decision, Unknown, decode, prediction_sets

CLASSES = ("wheel", "axle", "nut")  # on purpose not in alphabetical order


def decision(*, threshold: float | None = 0.6, quantile: float | None = 0.5) -> Decision:
    return Decision(
        abstain=Abstain(threshold=threshold, risk=0.01, delta=0.05, n=500),
        conformal=Conformal(alpha=0.1, quantile=quantile, n=500),
    )


def rows(*shares: tuple[float, ...]) -> np.ndarray:
    return np.array(shares, dtype=np.float32)


def test_label_is_the_name_at_the_place_of_the_largest_probability() -> None:
    answers = decode(
        rows((0.7, 0.2, 0.1), (0.1, 0.8, 0.1), (0.2, 0.2, 0.6)),
        classes=CLASSES,
        decision=decision(),
        sources=("a", "b", "c"),
    )

    assert [(answer.source, answer.label) for answer in answers] == [
        ("a", "wheel"),
        ("b", "axle"),
        ("c", "nut"),
    ]
    assert answers[1].confidence == pytest.approx(0.8)
    assert answers[0].scores == pytest.approx({"wheel": 0.7, "axle": 0.2, "nut": 0.1})


def test_set_names_the_most_probable_first() -> None:
    (answer,) = decode(
        rows((0.1, 0.5, 0.4)), classes=CLASSES, decision=decision(quantile=0.7), sources=("a",)
    )

    assert answer.set == ("axle", "nut")


@pytest.mark.parametrize(("confidence", "abstains"), [(0.59, True), (0.6, False), (0.61, False)])
def test_it_answers_from_the_threshold_on(confidence: float, abstains: bool) -> None:
    rest = (1 - confidence) / 2
    threshold = float(np.float32(0.6))

    (answer,) = decode(
        rows((confidence, rest, rest)),
        classes=CLASSES,
        decision=decision(threshold=threshold),
        sources=("a",),
    )

    assert answer.abstain is abstains


def test_without_a_proven_threshold_abstention_is_unknown() -> None:
    (answer,) = decode(
        rows((0.9, 0.1, 0)), classes=CLASSES, decision=decision(threshold=None), sources=("a",)
    )

    assert answer.abstain is None


def test_without_a_quantile_the_set_is_every_class() -> None:
    assert prediction_sets(rows((1, 0, 0)), decision(quantile=None).conformal).all()


def test_no_image_gives_no_answer() -> None:
    assert decode(np.zeros((0, 3), np.float32), classes=CLASSES, decision=decision(), sources=()) == []


@given(seed=st.integers(0, 2**16), quantile=st.floats(0, 1))
def test_sets_hold_the_best_class_and_grow_with_the_quantile(seed: int, quantile: float) -> None:
    scores = np.random.default_rng(seed).dirichlet(np.ones(5), size=8).astype(np.float32)

    small, large = (
        prediction_sets(scores, Conformal(alpha=0.1, quantile=q, n=9))
        for q in (quantile, min(1.0, quantile + 0.2))
    )

    assert small[np.arange(8), scores.argmax(axis=1)].all()
    assert (small <= large).all()


def test_a_source_too_few_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        decode(rows((1, 0, 0)), classes=CLASSES, decision=decision(), sources=())


def rejecting(threshold: float | None, n: int = 100) -> Decision:
    rule = Unknown(score="energy", threshold=threshold, alpha=0.05, n=n)
    return decision().model_copy(update={"unknown": rule})


def said(rule: Decision, scores: list[float] | None) -> list[bool | None]:
    found = None if scores is None else np.array(scores, np.float32)
    answers = rows(*[(0.9, 0.05, 0.05)] * 3)
    labels = decode(answers, classes=CLASSES, decision=rule, sources=["a", "b", "c"], unknown=found)
    return [label.unknown for label in labels]


def test_only_above_the_threshold_a_picture_is_unknown() -> None:
    assert said(rejecting(1.5), [1.25, 1.5, 1.75]) == [False, False, True]


def test_what_was_not_measured_or_proven_is_neither_known_nor_unknown() -> None:
    assert said(rejecting(1.5), None) == [None] * 3
    assert said(rejecting(None), [1.0, 2.0, 3.0]) == [None] * 3
    assert said(decision(), [1.0, 2.0, 3.0]) == [None] * 3


def test_a_rule_that_says_nothing_is_not_written() -> None:
    """Bundles from before there was such a rule keep their digests."""
    assert set(decision().model_dump(mode="json")) == {"abstain", "conformal"}
    assert rejecting(None).model_dump(mode="json")["unknown"]["threshold"] is None
    assert Decision.model_validate(rejecting(1.5).model_dump()) == rejecting(1.5)


@pytest.mark.parametrize(
    "changes", [{"n": 18}, {"alpha": 0.0}, {"score": "../x"}, {"threshold": float("nan")}]
)
def test_a_threshold_that_nothing_proves_is_refused(changes: dict[str, object]) -> None:
    good = {"score": "energy", "threshold": 1.0, "alpha": 0.05, "n": 19}
    Unknown.model_validate(good)
    with pytest.raises(ValueError, match="validation error"):
        Unknown.model_validate({**good, **changes})
