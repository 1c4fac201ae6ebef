"""tasks.detect.masks: from a coarse map of the model's input to the pixels of the picture."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foveal.data.preprocess import Preprocess
from foveal.tasks.detect.decode import ObjectAnswers, ObjectDecision, decode
from foveal.tasks.detect.masks import INSIDE, masks_of

PREPROCESS = Preprocess(size=64, width=96, resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)


def on_map(box, factor: float) -> np.ndarray:
    """Return the map (16, 24) of a rectangle of the picture: how much of each place lies in it."""
    fine = np.zeros((64, 96))
    left, top, right, bottom = (round(side * factor) for side in box)
    fine[top:bottom, left:right] = 1
    return (fine.reshape(16, 4, 24, 4).mean(axis=(1, 3)) * 255).round().astype(np.uint8)


@given(
    st.integers(0, 20), st.integers(0, 12), st.integers(8, 60), st.integers(8, 40), st.sampled_from([1, 2])
)
def test_a_rectangle_comes_back_where_it_was(left: int, top: int, wide: int, high: int, scale: int) -> None:
    box = (left * scale, top * scale, (left + wide) * scale, (top + high) * scale)
    size = (64 * scale, 96 * scale)

    [runs] = masks_of(on_map(box, 1 / scale)[None], np.array([box], np.float32), size, PREPROCESS)

    found = runs.mask(*size)
    wanted = np.zeros(size, bool)
    wanted[box[1] : box[3], box[0] : box[2]] = True
    assert not (found & ~wanted).any()  # nothing outside of its box
    assert (found & wanted).sum() >= 0.75 * wanted.sum()


def test_of_a_letterbox_the_filled_part_plays_no_part() -> None:
    size = (40, 20)  # becomes 64 × 32 at the left
    masks = np.zeros((1, 16, 24), np.uint8)
    masks[0, :, :8] = 255

    [runs] = masks_of(masks, np.array([[0, 0, 20, 40]], np.float32), size, PREPROCESS)

    assert runs.mask(*size).all()


def test_a_box_without_width_still_has_a_pixel_to_look_at() -> None:
    masks = np.full((2, 16, 24), INSIDE, np.uint8)
    boxes = np.array([[96, 64, 96, 64], [3, 3, 3, 3]], np.float32)

    found = [runs.mask(64, 96).sum() for runs in masks_of(masks, boxes, (64, 96), PREPROCESS)]

    assert found == [1, 1]


def test_what_is_told_has_its_outline() -> None:
    masks = np.stack([on_map((8, 8, 40, 40), 1), np.zeros((16, 24), np.uint8)])[None]
    answers = ObjectAnswers(
        np.array([[[8, 8, 40, 40], [0, 0, 4, 4]]], np.float32),
        np.array([[0.9, 0.1]], np.float32),
        np.array([[0, 0]]),
        masks,
    )
    decision = ObjectDecision(thresholds=(0.5,), objects=2, n=1)

    [seen] = decode(
        answers, classes=("a",), decision=decision, preprocess=PREPROCESS, sources=["x"], sizes=[(64, 96)]
    )

    [one] = seen.as_json()["objects"]
    assert one["mask"]["size"] == [64, 96]
    assert sum(one["mask"]["counts"]) == 64 * 96
    assert 0.98 * 32 * 32 < sum(one["mask"]["counts"][1::2]) <= 32 * 32  # corners are rounded
