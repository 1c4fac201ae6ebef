"""tasks.judging: every score has one verdict, faults and nonsense go to a person, odd rules are refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from foveal.core.errors import UsageError
from foveal.tasks.judging import (
    FAULTS,
    VERDICTS,
    Inspection,
    Promise,
    Quality,
    judge,
    quality_faults,
    score_of,
)

MISS = Promise(rate=0.01, delta=0.05, n=400, events=1)
FALSE_CALL = Promise(rate=0.05, delta=0.05, n=100, events=0)
RULE = Inspection(accept_below=0.2, reject_from=0.8, miss=MISS, false_call=FALSE_CALL)
REVIEW_ALL = Inspection()


@pytest.mark.parametrize(
    ("score", "verdict", "reasons"),
    [
        (-5.0, "accept", ()),
        (0.1999, "accept", ()),
        (0.2, "review", ("unsure",)),
        (0.7999, "review", ("unsure",)),
        (0.8, "reject", ("defective",)),
        (1e9, "reject", ("defective",)),
    ],
)
def test_thresholds_belong_to_the_side_that_is_worse(score, verdict, reasons) -> None:
    judged = judge(score, (), RULE)

    assert (judged.verdict, judged.score, judged.reasons) == (verdict, score, reasons)
    assert judged.as_json() == {"verdict": verdict, "score": score, "reasons": list(reasons)}


@given(st.floats(allow_nan=False, allow_infinity=False), st.sets(st.sampled_from(FAULTS), min_size=1))
def test_a_faulty_picture_is_never_accepted_or_rejected(score, faults) -> None:
    judged = judge(score, sorted(faults), RULE)

    assert (judged.verdict, judged.reasons) == ("review", tuple(sorted(faults)))


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("rule", [RULE, REVIEW_ALL])
def test_what_is_no_number_goes_to_a_person_and_into_json(score, rule) -> None:
    judged = judge(score, (), rule)

    assert (judged.verdict, judged.score, judged.reasons) == ("review", None, ("no_score",))


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_a_worse_score_never_gets_a_better_verdict(one, other) -> None:
    order = {"accept": 0, "review": 1, "reject": 2}
    low, high = sorted((one, other))

    assert order[judge(low, (), RULE).verdict] <= order[judge(high, (), RULE).verdict]


def test_without_thresholds_everything_is_reviewed() -> None:
    assert {judge(score, (), REVIEW_ALL).verdict for score in (-1e9, 0.0, 1e9)} == {"review"}
    assert set(VERDICTS) == {"accept", "reject", "review"}


def test_equal_thresholds_leave_nothing_to_review() -> None:
    rule = Inspection(accept_below=0.5, reject_from=0.5, miss=MISS, false_call=FALSE_CALL)

    assert [judge(score, (), rule).verdict for score in (0.49, 0.5)] == ["accept", "reject"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            {"accept_below": 0.9, "reject_from": 0.8, "miss": MISS, "false_call": FALSE_CALL},
            "at most reject_from",
        ),
        ({"accept_below": 0.2}, "has a promise or is in"),
        ({"reject_from": 0.2}, "has a promise or is in"),
        ({"miss": MISS}, "else is null"),
        ({"chosen": ("reject_from",)}, "else is null"),
        ({"accept_below": 0.2, "miss": MISS, "chosen": ("accept_below",)}, "not both"),
        ({"accept_below": float("nan"), "miss": MISS}, "finite"),
        ({"costs": {"miss": -1, "false_call": 0, "review": 0}}, "greater than or equal to 0"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_rules_that_make_no_sense_are_refused(entries, message) -> None:
    with pytest.raises(ValidationError, match=message):
        Inspection(**entries)


def test_a_choice_without_a_promise_is_said_to_be_one() -> None:
    rule = Inspection(accept_below=0.2, reject_from=0.8, false_call=FALSE_CALL, chosen=("accept_below",))

    assert rule.model_dump(mode="json")["chosen"] == ["accept_below"]
    assert Inspection.model_validate_json(rule.model_dump_json(), strict=True) == rule


def test_more_events_than_parts_are_no_promise() -> None:
    with pytest.raises(ValidationError, match="5 events in 4 parts"):
        Promise(rate=0.1, delta=0.05, n=4, events=5)


def test_score_of_a_detector_is_its_surest_answer_shown_or_not() -> None:
    answers = {"scores": np.array([[0.3, 0.1], [0.0, 0.0]], np.float32)}

    assert score_of(answers, task="detect").tolist() == pytest.approx([0.3, 0])
    assert score_of({"scores": np.empty((2, 0), np.float32)}, task="instance").tolist() == [0, 0]


def test_score_of_a_defect_model_is_its_own() -> None:
    assert score_of({"scores": np.array([3.5, -1], np.float32)}, task="defect").tolist() == [3.5, -1]


def test_score_of_a_classifier_is_what_no_good_class_has() -> None:
    answers = {"probabilities": np.array([[0.5, 0.2, 0.3], [0.0, 0.0, 1.0]], np.float32)}
    score = score_of(answers, task="classify", classes=("fine", "scratch", "dent"), good=("fine",))

    assert score.tolist() == pytest.approx([0.5, 1])
    both = score_of(answers, task="classify", classes=("fine", "scratch", "dull"), good=("dull", "fine"))
    assert both.tolist() == pytest.approx([0.2, 0])


@pytest.mark.parametrize(
    ("task", "good", "code"),
    [
        ("segment", (), "other_task"),
        ("classify", (), "unknown_name"),
        ("classify", ("nice",), "unknown_name"),
    ],
)
def test_score_of_what_has_none_is_refused(task, good, code) -> None:
    answers = {"probabilities": np.ones((1, 1), np.float32), "regions": np.zeros((1, 2, 2), np.uint8)}
    with pytest.raises(UsageError) as caught:
        score_of(answers, task=task, classes=("fine",), good=good)

    assert caught.value.code == code


def textured(level=120, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(level, 15, (64, 64, channels)), 0, 255).astype(np.uint8)


LIMITS = Quality(light_from=100, brightness_to=200, crispness_from=0.5)


@pytest.mark.parametrize(
    ("image", "faults"),
    [
        (textured(), ()),
        (textured(30), ("too_dark",)),
        (textured(230), ("too_bright",)),
        (np.full((64, 64, 3), 120, np.uint8), ("blurred",)),
        (np.zeros((64, 64, 3), np.uint8), ("too_dark", "blurred")),
    ],
)
def test_each_fault_of_a_picture_has_its_name(image, faults) -> None:
    assert quality_faults(image, LIMITS) == faults
    assert quality_faults(image, Quality()) == ()


@pytest.mark.parametrize("channels", [1, 3])
def test_pairs_are_judged_by_their_first_half_and_by_how_it_agrees(channels) -> None:
    one, other = textured(channels=channels), textured(channels=channels, seed=1)
    limits = LIMITS.model_copy(update={"correlation_from": 0.5, "shift_to": 1.0, "layers": 2})
    dark = (one * 0.3).astype(np.uint8)

    assert quality_faults(np.concatenate([one, one], axis=2), limits) == ()
    assert "wrong_template" in quality_faults(np.concatenate([one, other], axis=2), limits)
    assert "misregistered" in quality_faults(np.concatenate([one, np.roll(one, 3, axis=1)], axis=2), limits)
    assert quality_faults(np.concatenate([dark, one], axis=2), limits)[0] == "too_dark"
    assert "too_dark" not in quality_faults(np.concatenate([one, dark], axis=2), limits)


def test_every_fault_can_be_found_alone() -> None:
    base = {"layers": 2, "light_from": 0, "brightness_to": 255, "crispness_from": 0}
    told = itertools.chain.from_iterable(
        quality_faults(np.concatenate([textured(), textured(seed=2)], axis=2), Quality(**entries))
        for entries in (
            {**base, "light_from": 250},
            {**base, "brightness_to": 1},
            {**base, "crispness_from": 3},
            {**base, "correlation_from": 0.9},
            {**base, "correlation_from": -1, "shift_to": -1.0},
        )
    )
    assert tuple(told) == FAULTS


def test_what_lies_behind_the_template_is_not_looked_at() -> None:
    limits = LIMITS.model_copy(update={"correlation_from": 0.5, "layers": 3})
    pair = [textured(), textured()]

    assert quality_faults(np.concatenate([*pair, np.zeros((64, 64, 1), np.uint8)], axis=2), limits) == ()
    with pytest.raises(UsageError, match="2 channels are not 3 pictures"):
        quality_faults(np.concatenate(pair, axis=2), limits)
    with pytest.raises(ValidationError, match="only pairs"):
        Quality(correlation_from=0.5)
