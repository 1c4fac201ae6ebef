"""certified.patches and patch_alarm: on pictures so small that every patch can be tried, none turns a
certified answer, or none does so unnoticed.
"""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.certified import patch_alarm
from foveal.certified.masks import Masks
from foveal.certified.patches import certify, defended
from foveal.core.errors import UsageError

SIDE, PATCH = 6, 2
CONTENTS = [np.array(c, np.uint8).reshape(PATCH, PATCH, 1) * 255 for c in product((0, 1), repeat=PATCH**2)]
PLACES = list(product(range(SIDE - PATCH + 1), repeat=2))


def recognizer(seed: int):
    """Three classes by weighted votes of bright and dark pixels; grey ones do not vote.

    A patch's levels matter only by their sign here, but a level between would be none: contents of black and
    white are all that can make a difference.
    """
    weights = (
        np.random.default_rng(seed).normal(size=(SIDE * SIDE, 3))
        + 0.7 * np.eye(3)[np.arange(SIDE * SIDE) % 3]
    )

    def scores(images: np.ndarray) -> np.ndarray:
        votes = (images.reshape(len(images), -1) > 127).astype(np.float64)
        return (votes @ weights).astype(np.float32)

    return scores


def patched(image: np.ndarray) -> np.ndarray:
    """The picture with every patch at every place, uint8 (400, 6, 6, 1)."""
    made = []
    for (top, left), content in product(PLACES, CONTENTS):
        one = image.copy()
        one[top : top + PATCH, left : left + PATCH] = content
        made.append(one)
    return np.stack(made)


def pictures(seed: int, count: int) -> np.ndarray:
    """Pixels that mostly agree on a class: column by column, as the weights go."""
    rng = np.random.default_rng(seed)
    wanted = np.arange(SIDE * SIDE) % 3 == rng.integers(0, 3, count)[:, None]
    bright = wanted ^ (rng.random(wanted.shape) < 0.05)
    return (bright * 255).astype(np.uint8).reshape(count, SIDE, SIDE, 1)


def turned(masks: Masks, seed: int) -> tuple[int, int]:
    """How many certified pictures there are, and how many of them some patch turns."""
    scores, images = recognizer(seed), pictures(seed, 10)
    labels = scores(images).argmax(axis=1)
    held = certify(scores, images, labels, masks)
    fooled = [
        (defended(scores, patched(image), masks) != label).any()
        for image, label in zip(images[held], labels[held], strict=True)
    ]
    return int(held.sum()), sum(fooled)


@pytest.mark.parametrize("per_axis", [3, 5])
def test_no_patch_at_all_turns_a_certified_answer(per_axis):
    masks = Masks(SIDE, PATCH, per_axis=per_axis, fill=0)

    found = [turned(masks, seed) for seed in range(2)]

    assert sum(certified for certified, _ in found) >= 3
    assert sum(fooled for _, fooled in found) == 0


def test_the_same_search_finds_patches_that_turn_what_masks_do_not_cover():
    """The positive control: masks against one pixel promise nothing about four."""
    found = [turned(Masks(SIDE, 1, per_axis=6, fill=0), seed) for seed in range(3)]

    assert sum(fooled for _, fooled in found) > 0


def test_the_same_patches_turn_what_is_not_defended():
    scores, images = recognizer(0), pictures(0, 10)
    labels = scores(images).argmax(axis=1)

    assert any((scores(patched(i)).argmax(axis=1) != y).any() for i, y in zip(images, labels, strict=True))


def test_the_defence_answers_certified_pictures_with_their_label():
    scores, images, masks = recognizer(1), pictures(1, 60), Masks(SIDE, PATCH, per_axis=3, fill=0)
    labels = scores(images).argmax(axis=1)
    held = certify(scores, images, labels, masks)

    assert 0 < held.sum() < 60
    assert (defended(scores, images, masks)[held] == labels[held]).all()
    assert not certify(scores, images, (labels + 1) % 3, masks)[held].any()


@given(st.data())
def test_one_mask_hides_any_patch_wherever_it_is(data):
    size = data.draw(st.integers(1, 70))
    patch = data.draw(st.integers(1, size))
    masks = Masks(size, patch, per_axis=data.draw(st.integers(1, 9)))
    smaller = data.draw(st.integers(1, patch))
    top, left = (data.draw(st.integers(0, size - smaller)) for _ in range(2))

    assert masks.side <= size
    assert len(masks.corners) <= masks.per_axis**2
    assert any(
        t <= top and top + smaller <= t + masks.side and x <= left and left + smaller <= x + masks.side
        for t, x in masks.corners
    )
    assert all(0 <= t <= size - masks.side and 0 <= x <= size - masks.side for t, x in masks.corners)


def test_six_masks_an_axis_make_666_pairs_and_two_percent_of_224_pixels_are_32():
    masks = Masks.against(0.02, size=224)

    assert masks.patch == 32
    assert len(masks.corners) == 36
    assert len(masks.pairs) == len(set(masks.pairs)) == 666
    assert Masks.against(1.0, size=9).side == 9
    assert Masks.against(0.25, size=32).patch == 16


def test_masked_pixels_are_grey_and_the_others_as_they_were():
    image = np.random.default_rng(0).integers(0, 100, (8, 8, 3), dtype=np.uint8)
    masks = Masks(8, 2, per_axis=3)

    single, double = masks.masked(image, [(0, 0), (0, 8)])

    assert (single == 128).all(axis=2).sum() == masks.side**2
    assert (double == 128).all(axis=2).sum() == 2 * masks.side**2
    kept = (double != 128).any(axis=2)
    assert np.array_equal(double[kept], image[kept])
    assert image.max() < 100


def test_masks_have_a_level_for_each_channel():
    image = np.zeros((8, 8, 3), np.uint8)
    [one] = Masks(8, 2, per_axis=3, fill=(1, 2, 3)).masked(image, [(0, 0)])

    assert one[0, 0].tolist() == [1, 2, 3]
    with pytest.raises(UsageError, match="masks need"):
        Masks(8, 2, fill=(0, 256, 0))
    with pytest.raises(UsageError, match="masks need"):
        Masks(8, 2, fill=0.5)
    with pytest.raises(UsageError, match="3 levels for 1 channels"):
        Masks(8, 2, fill=(1, 2, 3)).check(image[None, ..., :1])


def counting(scores):
    asked = []

    def count(images: np.ndarray) -> np.ndarray:
        asked.append(len(images))
        return scores(images)

    return count, asked


def test_a_first_disagreement_ends_the_search():
    image = pictures(0, 1)
    count, asked = counting(recognizer(0))
    wrong = (recognizer(0)(image).argmax(axis=1) + 1) % 3

    assert not certify(count, image, wrong, Masks(SIDE, PATCH, per_axis=3, fill=0))[0]
    assert sum(asked) == 9


def test_masks_that_agree_need_no_second_round():
    count, asked = counting(lambda images: np.tile(np.float32([0, 1, 0]), (len(images), 1)))
    masks = Masks(SIDE, PATCH, per_axis=3)
    images = pictures(0, 2)

    assert defended(count, images, masks).tolist() == [1, 1]
    assert sum(asked) == 2 * 9
    assert certify(count, images, np.array([1, 0]), masks).tolist() == [True, False]


def test_pictures_are_left_alone_and_others_refused():
    scores, images, masks = recognizer(0), pictures(0, 3), Masks(SIDE, PATCH, per_axis=3)
    before = images.copy()

    defended(scores, images, masks)
    certify(scores, images, np.zeros(3, np.int64), masks)

    assert np.array_equal(images, before)
    for wrong in (images.astype(np.float32), images[:, :5], images[0]):
        with pytest.raises(UsageError):
            defended(scores, wrong, masks)
    for how in ({"patch": 0}, {"patch": 7}, {"patch": 1, "per_axis": 0}, {"patch": 1, "fill": 256}):
        with pytest.raises(UsageError):
            Masks(SIDE, **how)
    with pytest.raises(UsageError):
        Masks.against(0.0, size=32)


def unnoticed(masks: Masks, seed: int) -> tuple[int, int]:
    """How many certified pictures there are, and of how many a patch makes all copies agree on an error."""
    scores, images = recognizer(seed), pictures(seed, 10)
    labels = scores(images).argmax(axis=1)
    held = patch_alarm.certify(scores, images, labels, masks)
    fooled = 0
    for image, label in zip(images[held], labels[held], strict=True):
        found = patch_alarm.watched(scores, patched(image), masks)
        fooled += bool(((found != label) & (found != patch_alarm.ALARM)).any())
    return int(held.sum()), fooled


@pytest.mark.parametrize("per_axis", [2, 5])
def test_no_patch_at_all_turns_a_certified_answer_without_an_alarm(per_axis):
    found = [unnoticed(Masks(SIDE, PATCH, per_axis=per_axis, fill=0), seed) for seed in range(3)]

    assert sum(certified for certified, _ in found) >= 5
    assert sum(fooled for _, fooled in found) == 0


def test_the_same_search_finds_patches_that_masks_against_one_pixel_do_not_notice():
    """The positive control: what is promised against one pixel is not against four."""
    found = [unnoticed(Masks(SIDE, 1, per_axis=6, fill=0), seed) for seed in range(4)]

    assert sum(fooled for _, fooled in found) > 0


def test_what_can_be_repaired_is_noticed_but_not_the_other_way():
    masks = Masks(SIDE, PATCH, per_axis=3, fill=0)
    scores, images = recognizer(1), pictures(1, 200)
    labels = scores(images).argmax(axis=1)

    noticed = patch_alarm.certify(scores, images, labels, masks)
    repaired = certify(scores, images, labels, masks)

    assert noticed[repaired].all()
    assert noticed.sum() > repaired.sum()


def test_a_clean_picture_whose_copies_disagree_raises_the_alarm():
    masks = Masks(SIDE, PATCH, per_axis=3, fill=0)

    def corner(images: np.ndarray) -> np.ndarray:
        """Class 1 as long as the first pixel is bright."""
        bright = images[:, 0, 0, 0] > 127
        return np.stack([~bright, bright], axis=1).astype(np.float32)

    picture = np.full((2, SIDE, SIDE, 1), 255, np.uint8)
    picture[1, 0, 0] = 0

    assert patch_alarm.watched(corner, picture, masks).tolist() == [patch_alarm.ALARM, 0]
    assert patch_alarm.certify(corner, picture, np.array([1, 0]), masks).tolist() == [False, True]


def test_pictures_of_another_size_are_refused():
    with pytest.raises(UsageError, match="masks for 6 pixels"):
        patch_alarm.watched(recognizer(0), np.zeros((1, 7, 7, 1), np.uint8), Masks(SIDE, PATCH))
