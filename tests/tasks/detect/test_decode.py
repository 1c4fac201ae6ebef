"""tasks.detect.decode: from model pixels to those of the picture, and nothing but what was found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import BundleError
from foveal.data.preprocess import Preprocess
from foveal.data.scene import Objects
from foveal.data.truths import at_size
from foveal.tasks.detect.decode import ObjectAnswers, ObjectDecision, checked, decode, original

PREPROCESS = Preprocess(size=96, width=128, resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
DECISION = ObjectDecision(thresholds=(0.5, 0.2), objects=3, overlap=0.6, n=10)


def answers(**changes):
    told = {
        "boxes": np.array([[[10, 20, 30, 40], [0, 0, 128, 96], [0, 0, 0, 0]]], np.float32),
        "scores": np.array([[0.9, 0.3, 0.0]], np.float32),
        "labels": np.array([[0, 1, 0]]),
    }
    return {**told, **changes}


@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 2**31))
def test_to_model_size_and_back_a_box_is_where_it_was(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, [width, height], (5, 2, 2)).astype(np.float32)
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
    objects = Objects(boxes, np.zeros(5, np.int64), np.zeros(5, bool))

    there = at_size(objects, (height, width), PREPROCESS).boxes
    back = original(there, (height, width), PREPROCESS)

    np.testing.assert_allclose(back, boxes, atol=1e-2)
    assert there[:, 2].max() <= 128.01
    assert there[:, 3].max() <= 96.01


def test_only_what_is_sure_enough_for_its_class_is_told() -> None:
    found = checked(answers(), 1, classes=2)

    [seen] = decode(
        found, classes=("a", "b"), decision=DECISION, preprocess=PREPROCESS, sources=["x"], sizes=[(192, 256)]
    )

    assert [(one.label, round(one.confidence, 3), one.box) for one in seen.objects] == [
        ("a", 0.9, (20.0, 40.0, 60.0, 80.0)),
        ("b", 0.3, (0.0, 0.0, 256.0, 192.0)),
    ]
    assert seen.counts == {"a": 1, "b": 1}
    assert seen.as_json()["width"] == 256
    strict = DECISION.model_copy(update={"thresholds": (0.95, 0.95)})
    [none] = decode(
        found, classes=("a", "b"), decision=strict, preprocess=PREPROCESS, sources=["x"], sizes=[(192, 256)]
    )
    assert none.objects == ()
    assert none.as_json()["counts"] == {}


def test_padding_is_no_object_even_from_a_threshold_of_zero() -> None:
    decision = DECISION.model_copy(update={"thresholds": (0.0, 0.0)})

    [seen] = decode(
        checked(answers(), 1, classes=2),
        classes=("a", "b"),
        decision=decision,
        preprocess=PREPROCESS,
        sources=["x"],
        sizes=[(96, 128)],
    )

    assert len(seen.objects) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"scores": np.array([[0.9, 1.3, 0.0]], np.float32)},
        {"scores": np.array([[np.nan, 0.3, 0.0]], np.float32)},
        {"labels": np.array([[0, 2, 0]])},
        {"labels": np.array([[0, 1]])},
        {"boxes": np.full((1, 3, 4), np.inf, np.float32)},
        {"boxes": np.zeros((1, 3, 3), np.float32)},
    ],
)
def test_what_are_no_objects_is_refused(wrong) -> None:
    with pytest.raises(BundleError, match="no objects"):
        checked(answers(**wrong), 1, classes=2)


def test_answers_are_picked_and_joined_by_picture() -> None:
    one = checked(answers(), 1, classes=2)

    both = ObjectAnswers.joined([one, one])

    assert both.boxes.shape == (2, 3, 4)
    assert both.at(1).labels.tolist() == [0, 1, 0]
