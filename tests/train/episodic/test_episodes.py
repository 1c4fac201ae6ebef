"""train.episodic._episodes: tasks are drawn anew, by seed and step alone, and nobody is asked about twice."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import DataError
from foveal.train.episodic._episodes import Pool, Shape, divided, episodes, in_order, places, turned


@given(
    seed=st.integers(0, 2**32 - 1),
    way=st.integers(2, 6),
    shot=st.integers(1, 3),
    query=st.integers(1, 3),
    turns=st.sampled_from([1, 4]),
)
def test_no_query_is_in_the_support_set_and_all_pictures_are_of_their_class(seed, way, shot, query, turns):
    labels = np.random.default_rng(0).permutation(np.arange(6).repeat(7))
    drawn = Pool(labels, least=shot + query).draw(
        Shape(3, way, shot, query, turns), np.random.default_rng(seed)
    )

    for task in range(3):
        every = np.concatenate([drawn.support[task].ravel(), drawn.query[task].ravel()])
        each = np.stack([drawn.classes[task], drawn.turns[task]], axis=1)
        assert len(np.unique(each, axis=0)) == way, "no class twice"
        for k in range(way):
            mine = np.concatenate([drawn.support[task, k], drawn.query[task, k]])
            assert (labels[mine] == drawn.classes[task, k]).all()
            assert len(set(mine.tolist())) == shot + query
        if turns == 1:
            assert len(set(every.tolist())) == len(every)


def test_a_step_is_a_pure_function_of_seed_and_step(learned, planned):
    plan = planned("prototypes", turns=4)
    first, again, later = episodes(learned, plan, 3), episodes(learned, plan, 3), episodes(learned, plan, 4)
    other = episodes(learned, plan.model_copy(update={"seed": 1}), 3)

    assert torch.equal(first.images, again.images)
    assert torch.equal(first.generator.get_state(), again.generator.get_state())
    assert not torch.equal(first.rows, later.rows)
    assert not torch.equal(first.rows, other.rows)


def test_a_class_has_every_place_so_that_places_cannot_be_learned_by_heart(learned, planned):
    plan = planned("prototypes", way=8, steps=400)
    seen = np.zeros((24, 8), dtype=int)
    for step in range(400):
        batch = episodes(learned, plan, step)
        seen[learned.labels[batch.rows.numpy()], batch.labels.numpy()] += 1

    expected = seen.sum() / seen.size
    assert ((seen - expected) ** 2 / expected).sum() / 3 < 24 * 8 * 1.3, "as even as chance leaves it"


def test_a_batch_is_support_then_query_of_each_task(learned, planned):
    shape = Shape(2, 4, 1, 2)
    batch = episodes(learned, planned("prototypes"), 0)
    support, query = divided(batch.labels, shape)

    assert support.tolist() == [[0, 1, 2, 3]] * 2
    assert query.tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]] * 2
    classes, asked = divided(torch.from_numpy(learned.labels[batch.rows.numpy()]), shape)
    assert torch.equal(asked, classes.repeat_interleave(2, 1))
    assert in_order(np.arange(8).reshape(2, 4, 1), np.arange(8, 24).reshape(2, 4, 2)).tolist() == [
        *range(4), *range(8, 16), *range(4, 8), *range(16, 24)
    ]  # fmt: skip
    assert len(places(shape)) * 2 == shape.pictures


def test_a_turned_picture_is_the_picture_turned():
    images = np.random.default_rng(0).integers(0, 255, (5, 6, 6, 2), dtype=np.uint8)

    found = turned(images, np.array([0, 1, 2, 3, 0]))

    for i, times in enumerate([0, 1, 2, 3, 0]):
        assert np.array_equal(found[i], np.rot90(images[i], times))


def test_classes_with_too_few_pictures_are_left_out_and_too_few_classes_refused():
    pool = Pool(np.array([0, 0, 0, 1, 2, 2, 2]), least=3)

    assert pool.classes.tolist() == [0, 2]
    with pytest.raises(DataError, match="there are 2 that have them") as caught:
        pool.draw(Shape(1, 3, 1, 2), np.random.default_rng(0))
    assert caught.value.code == "too_few_classes"
