"""optimize.effects: each step beside what it began from, with what really lies between the two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.optimize.decision import Field
from foveal.optimize.effects import effects, made_from
from foveal.optimize.labels import Pictures
from foveal.optimize.variant import Ratio, Speed, Variant

IMAGES = 400
PICTURES = Pictures.of(np.zeros(IMAGES, dtype=np.int64), labelled=True)


def variant(name, *steps, wrong=40, size=1000, peak=None, bundle=True):
    answers = np.zeros(IMAGES, dtype=np.int64)
    answers[:wrong] = 1
    speed = Speed("openvino", "bf16", 1, 1e-3, 2e-3, None, None, 1.0, None, None, False, 9)
    file = f"{name}.foveal" if bundle else None
    return Variant(name, steps, file, 10, 100, size, answers, speed, peak_bytes=peak)


def found(*variants, ratio=0.5):
    times = [Ratio(ratio, 0.9 * ratio, 1.1 * ratio, True, 9) for _ in variants[1:]]
    return {one.name: one for one in effects(Field(variants, PICTURES, np.zeros((1, 1), bool)), times)}


ORIGINAL = variant("original", bundle=False, peak=100)


def test_accuracy_is_compared_on_the_same_pictures_with_what_the_step_began_from():
    student = variant("student-short", "half", "distill", wrong=80, size=500, peak=90)
    rounded = variant("student-short-int8", "half", "distill", "quantize", wrong=90, size=125, peak=60)

    one = found(ORIGINAL, student, rounded)["student-short-int8"]

    assert (one.before, one.step) == ("student-short", "quantize")
    assert one.drop == PICTURES.drop(student.answers, rounded.answers)
    assert one.drop.value == pytest.approx(10 / IMAGES)
    assert one.drop.low > 0, "the pairs show what two intervals beside the original would not"
    assert (one.size_ratio, one.memory_bytes) == (0.25, -30)
    assert one.as_json()["time_ratio"] == {"value": 0.5, "low": 0.45, "high": 0.55, "real": True, "n": 9}


def test_the_same_file_in_another_engine_is_a_step_and_later_ones_begin_there():
    engine = variant("original-engine", bundle=False)

    steps = found(ORIGINAL, engine, variant("original-int8", "quantize"))

    assert (steps["original-engine"].before, steps["original-engine"].step) == ("original", "openvino bf16")
    assert steps["original-int8"].before == "original-engine"


def test_a_longer_lesson_goes_on_from_the_shorter_and_is_rounded_itself():
    lesson, rounded = ("half", "distill"), ("half", "distill", "quantize")

    steps = found(
        ORIGINAL,
        variant("s-short", *lesson),
        variant("s-short-int8", *rounded),
        variant("t-short", "third", "distill"),
        variant("s-long", *lesson),
        variant("s-long-int8", *rounded),
    )

    assert (steps["s-long"].before, steps["s-long"].step) == ("s-short", "distill, longer")
    assert steps["s-long-int8"].before == "s-long"
    assert steps["t-short"].before == "original"


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=3).map(tuple), max_size=8))
def test_everything_comes_from_something_earlier_that_lacks_none_of_its_steps(made):
    steps = [(), *made]

    for own, before in enumerate(made_from(steps), 1):
        assert before < own
        assert steps[own][: len(steps[before])] == steps[before]
        between = [one for one in steps[:own] if steps[own][: len(one)] == one != steps[own]]
        assert steps[before] == steps[own] or len(steps[before]) == max(map(len, between))
