"""tasks.classify.decode: labels by name, sets that never are empty, abstention exactly at the threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from foveal.core.errors import UsageError
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


MONDRIAN = Conformal(
    method="mondrian", alpha=0.1, quantile=0.9, n=110, quantiles=(0.3, 0.9, None), counts=(50, 52, 8)
)


def test_each_class_has_its_own_limit_and_one_without_is_in_every_set() -> None:
    sets = prediction_sets(rows((0.68, 0.32, 0), (0.09, 0.06, 0.85), (0.75, 0.15, 0.1)), MONDRIAN)

    assert sets.tolist() == [[True, True, True], [False, False, True], [True, True, True]]
    with pytest.raises(UsageError, match="a rule for 3 classes, and 2"):
        prediction_sets(rows((0.5, 0.5)), MONDRIAN)


def test_sets_by_mass_and_by_rank() -> None:
    scores = rows((0.5, 0.3, 0.2))  # before each class: 0, 0.5 and 0.8
    for limit, size in [(0.0, 1), (0.5, 2), (0.79, 2), (0.81, 3)]:
        assert prediction_sets(scores, Conformal(method="aps", alpha=0.1, quantile=limit, n=9)).sum() == size
    rule = Conformal(method="raps", alpha=0.1, quantile=0.81, n=9, penalty=0.1, free=2)
    assert prediction_sets(scores, rule).tolist() == [[True, True, False]]


def test_a_randomized_rule_wants_numbers_and_is_not_sealed() -> None:
    rule = Conformal(method="aps", alpha=0.1, quantile=0.4, n=9, randomized=True)

    sets = prediction_sets(rows((0.9, 0.1, 0), (0.9, 0.1, 0)), rule, uniform=np.array([0.1, 0.9]))

    assert sets.tolist() == [[True, False, False], [False, False, False]]
    for wrong, numbers in [(rule, None), (decision().conformal, np.zeros(1))]:
        with pytest.raises(UsageError, match="randomized rule takes"):
            prediction_sets(rows((1, 0, 0)), wrong, uniform=numbers)
    with pytest.raises(ValidationError, match="measured, not sealed"):
        Decision(abstain=decision().abstain, conformal=rule)


def test_entries_that_say_nothing_are_not_written_and_others_are_read_again() -> None:
    plain = decision().conformal

    assert plain.model_dump(mode="json") == {"method": "lac", "alpha": 0.1, "quantile": 0.5, "n": 500}
    for rule in (
        MONDRIAN,
        plain.model_copy(update={"delta": 0.05}),
        Conformal(method="raps", alpha=0.1, quantile=0.5, n=9, penalty=0.1, free=2),
    ):
        assert Conformal.model_validate_json(rule.model_dump_json(), strict=True) == rule


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"method": "mondrian"}, "and no other method"),
        ({"quantiles": (0.5,), "counts": (9,)}, "and no other method"),
        ({"method": "mondrian", "quantiles": (0.5, 0.1), "counts": (9,)}, "and no other method"),
        ({"method": "mondrian", "quantiles": (0.5, 0.1), "counts": (10, 10)}, "n is the sum"),
        ({"method": "mondrian", "quantiles": (0.4, 0.1), "counts": (10, 20)}, "quantile the largest"),
        ({"method": "mondrian", "quantiles": (0.5, 0.1), "counts": (24, 6)}, "6 images give no quantile"),
        ({"penalty": 0.1}, "only raps"),
        ({"randomized": True}, "only aps and raps"),
        ({"delta": 0.04}, "30 images give no quantile"),
        ({"delta": 0.0}, "greater than or equal to 0"),
        ({"method": "own"}, "Input should be 'lac'"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(entries: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Conformal.model_validate({"alpha": 0.1, "quantile": 0.5, "n": 30, **entries})


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
