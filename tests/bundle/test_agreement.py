"""bundle.agreement: what two engines decide otherwise is counted in decisions, not in numbers."""

import numpy as np
import pytest

from foveal.bundle import archive
from foveal.bundle.agreement import compared, flips
from foveal.bundle.predictor import Predictor
from foveal.tasks.detect.decode import AttributeDecision
from scene_graphs import DARK, LIGHT, picture

PICTURES = np.stack(
    [
        picture((0, 0, DARK), (3, 3, LIGHT)),
        picture((1, 2, LIGHT)),
        picture(),
        picture((0, 3, DARK), (2, 1, DARK), (3, 0, LIGHT)),
    ]
)
SHOWN = 6


@pytest.fixture(scope="module")
def found(finder):
    return Predictor.open(finder).ask(PICTURES)


@pytest.fixture(scope="module")
def manifest(finder):
    return archive.read(finder).manifest


def changed(answers, **arrays):
    return {**answers, **arrays}


def test_whoever_answers_alike_agrees_and_is_not_proven_to_agree_on_more(manifest, found) -> None:
    same = flips(manifest, found, found)

    assert (same.share.value, same.share.low, same.decided, same.unit) == (0, 0, 2 * SHOWN, "objects")
    assert same.share.high > 0.5, "objects of four pictures say no more than four pictures"
    assert same.share.n <= len(PICTURES)


def test_numbers_that_decide_nothing_are_no_flips(manifest, found) -> None:
    scores = np.where(found["scores"] > 0.5, 0.5001 + found["scores"] / 10, found["scores"] / 2)
    nudged = changed(found, boxes=found["boxes"] + np.float32(0.3), scores=scores.astype(np.float32))

    assert flips(manifest, found, nudged).share.value == 0


@pytest.mark.parametrize(
    ("change", "lonely"),
    [
        (lambda one: changed(one, scores=one["scores"] * np.float32(0.4)), SHOWN),  # all are lost
        (lambda one: changed(one, labels=1 - one["labels"]), 2 * SHOWN),  # each is another, on both sides
        (lambda one: changed(one, boxes=one["boxes"] + np.float32(4)), 2 * SHOWN),
    ],
    ids=["lost", "another class", "another place"],
)
def test_each_object_that_only_one_shows_is_a_flip_whichever_is_the_reference(
    manifest, found, change, lonely
) -> None:
    other = change(found)

    there, back = flips(manifest, found, other), flips(manifest, other, found)

    assert there == back
    total = there.decided + 1  # the picture on which neither shows anything
    assert there.share.value == pytest.approx(lonely / total)


def test_an_object_of_which_both_tell_another_value_is_a_flip_and_one_that_is_unsure_is_none(
    manifest, found
) -> None:
    colour = AttributeDecision(name="colour", values=("red", "blue"), threshold=0.7, scale=1.0, n=30)
    telling = manifest.model_copy(
        update={"rule": manifest.objects.model_copy(update={"attributes": (colour,)})}
    )
    shape = (*found["scores"].shape, 1)
    red, blue, unsure = (
        changed(found, attributes=np.tile(np.array(row, np.float32), shape))
        for row in ([0.9, 0.1], [0.2, 0.8], [0.4, 0.6])
    )

    assert flips(telling, red, blue).share.value == flips(telling, blue, red).share.value > 0.8
    assert flips(telling, red, red).share.value == flips(telling, red, unsure).share.value == 0
    assert set(compared(red)) == {*found, "attributes"}


def test_where_nothing_is_shown_nothing_was_decided(manifest, found) -> None:
    nothing = changed(found, scores=found["scores"] * 0)

    same = flips(manifest, nothing, nothing)

    assert (same.share.value, same.decided, same.share.n) == (0, 0, len(PICTURES))


def test_pixels_are_counted_and_a_picture_is_one_witness(shader) -> None:
    predictor = Predictor.open(shader)
    found = predictor.ask(PICTURES)
    regions = found["regions"].copy()
    regions[:, 0, :16] = 2 - regions[:, 0, :16] // 2  # half a line of 32
    other = {"regions": regions}

    said = flips(predictor.manifest, found, other)

    assert said.share.value == pytest.approx((regions != found["regions"]).mean())
    assert said.share.value > 0
    assert (said.share.n, said.decided, said.unit) == (4, PICTURES[..., 0].size, "pixels")


def test_labels_of_pictures_are_counted_as_they_were(bundle) -> None:
    predictor = Predictor.open(bundle)
    images = np.zeros((4, 16, 16, 3), np.uint8)
    images[range(4), :, :, [0, 1, 2, 0]] = 200
    found = predictor.ask(images)
    other = {"probabilities": found["probabilities"][:, [1, 0, 2]]}

    said = flips(predictor.manifest, found, other)

    assert (said.share.value, said.share.n, said.unit) == (0.75, 4, "pictures")


def test_masks_are_not_kept(found) -> None:
    assert compared({**found, "masks": np.zeros((4, 16, 8, 8), np.uint8)}).keys() == found.keys()


def test_places_that_show_another_kind_of_defect_are_counted(suspecter) -> None:
    predictor = Predictor.open(suspecter)
    answers = predictor.ask(PICTURES)
    moved = answers["maps"].copy()
    moved[1, 1, 1, 2] = 39  # a light cell that is hardly light enough any more

    same = flips(predictor.manifest, answers, compared(answers))
    found = flips(predictor.manifest, answers, {**answers, "maps": moved})

    assert (same.share.value, same.decided, same.unit) == (0, 4 * 16, "pixels")
    assert found.share.value == pytest.approx(1 / 64)
    assert found.share.n == 4
