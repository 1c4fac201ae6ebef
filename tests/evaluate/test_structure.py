"""evaluate.structure: a recognizer of local colour survives shuffling, one of places survives averaging."""

from types import SimpleNamespace

import numpy as np

from foveal.evaluate.structure import structure

IMAGES = np.zeros((40, 32, 32, 1), dtype=np.uint8)
LABELS = np.arange(40) % 2
IMAGES[LABELS == 0, :16] = 200  # bright above
IMAGES[LABELS == 1, 16:] = 200  # bright below: the same parts in other places


class Above:
    """Answers by whether the upper half is brighter than the lower."""

    def run(self, images):
        above = images[:, :16].mean(axis=(1, 2, 3)) > images[:, 16:].mean(axis=(1, 2, 3))
        probabilities = np.stack([above, ~above], axis=1).astype(np.float32)
        return SimpleNamespace(probabilities=probabilities)


class Stripes:
    """Answers by whether neighbouring rows differ, wherever that is."""

    def run(self, images):
        striped = np.abs(np.diff(images[..., 0].astype(int), axis=1)).mean(axis=(1, 2)) > 60
        return SimpleNamespace(probabilities=np.stack([~striped, striped], axis=1).astype(np.float32))


def of(found, view):
    return {one.blocks: one.accuracy.value for one in found if one.view == view}


def test_who_goes_by_places_fails_without_them_and_needs_no_detail() -> None:
    found = structure(Above(), IMAGES, LABELS)

    assert min(of(found, "block_means").values()) == 1
    assert max(of(found, "shuffled_blocks").values()) < 0.9
    assert all(one.accuracy.n == 40 for one in found)


def test_who_goes_by_detail_fails_without_it_and_needs_no_places() -> None:
    images = np.full((40, 32, 32, 1), 100, dtype=np.uint8)
    images[LABELS == 1, ::2] = 0
    images[LABELS == 1, 1::2] = 200

    found = structure(Stripes(), images, LABELS)

    assert min(of(found, "shuffled_blocks").values()) == 1
    assert max(of(found, "block_means").values()) == 0.5


def test_blocks_that_do_not_divide_the_side_are_left_out() -> None:
    images = np.zeros((2, 36, 36, 1), dtype=np.uint8)

    found = structure(Above(), images, np.array([0, 1]))

    assert {one.blocks for one in found} == {2, 4}
