"""Promises that every black-box attack keeps; a new file is covered the moment it exists."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.perturb.attacks import black_box
from foveal.perturb.attacks.ball import Ball

NAMES = catalog.names(black_box)
RNG = np.random.default_rng


def limits(name, ball=None):
    """Return how far an attack may go, in its own words."""
    asks = inspect.signature(catalog.find(black_box, name)).parameters
    return {"ball": ball or Ball("linf", 8)} if "ball" in asks else {"share": 0.1}


def run(name, scores, images, labels, queries=20, seed=0, ball=None):
    attack = catalog.find(black_box, name)
    return attack(scores, images, labels, queries=queries, rng=RNG(seed), **limits(name, ball))


def pictures(n=6, height=8, width=8, channels=3, seed=0):
    return RNG(seed).integers(0, 256, (n, height, width, channels), dtype=np.uint8)


def linear(classes=3, pixels=8 * 8 * 3, seed=1):
    """Return a linear classifier on pixels, and its weights (pixels, classes)."""
    weights = RNG(seed).normal(size=(pixels, classes))
    weights -= weights.mean(axis=0)  # brightness alone says nothing
    return (lambda x: ((x.reshape(-1, pixels) / 255) @ weights).astype(np.float32)), weights


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(5, 8, 8, 3), (3, 9, 14, 1), (1, 8, 8, 4), (0, 8, 8, 3), (2, 64, 5, 3)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_gives_pictures_of_the_same_shape_and_leaves_the_input_alone(name, shape, norm):
    images = pictures(*shape)
    images.setflags(write=False)
    before, (scores, _) = images.copy(), linear(pixels=int(np.prod(shape[1:])))
    labels = scores(images).argmax(axis=1)

    found = run(name, scores, images, labels, queries=7, ball=Ball(norm, 30))

    assert (found.shape, found.dtype) == (shape, np.uint8)
    assert np.array_equal(images, before)
    assert not np.shares_memory(found, images)


@pytest.mark.parametrize("name", NAMES)
@given(
    norm=st.sampled_from(["linf", "l2"]),
    radius=st.floats(0.3, 300),
    side=st.integers(3, 12),
    queries=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_everything_that_is_asked_for_lies_within_the_limits(name, norm, radius, side, queries, seed):
    if name == "stickers":
        pytest.skip("has tests of its own: it covers, it does not move")
    images, ball = pictures(4, side, side + 1, seed=seed), Ball(norm, radius)
    scores, _ = linear(pixels=side * (side + 1) * 3, seed=seed)
    labels = scores(images).argmax(axis=1)
    asked = []

    def watched(x):
        asked.append(x.copy())
        return scores(x)

    found = run(name, watched, images, labels, queries, seed, ball)

    assert (ball.distance(found, images) <= radius + 1e-9).all()
    for tried in asked[1:]:  # each is near some original
        nearest = [ball.distance(np.repeat(one[None], len(images), 0), images).min() for one in tried]
        assert max(nearest) <= radius + 1e-9
    assert len(asked) <= queries + 1


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(name):
    images, (scores, _) = pictures(), linear()
    labels = scores(images).argmax(axis=1)

    first, again, other = (run(name, scores, images, labels, 30, seed) for seed in (3, 3, 4))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", NAMES)
def test_a_recognizer_that_always_answers_the_same_is_never_fooled(name):
    def constant(x):
        return np.tile(np.array([0.0, 5.0, 1.0], np.float32), (len(x), 1))

    images = pictures()
    found = run(name, constant, images, np.ones(6, np.int64), 50)

    assert (constant(found).argmax(axis=1) == 1).all()
    assert np.array_equal(found, images), "nothing lowered the margin"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_named_wrongly_is_neither_changed_nor_asked_for_again(name):
    images, (scores, _) = pictures(), linear()
    labels = scores(images).argmax(axis=1)
    labels[::2] = (labels[::2] + 1) % 3
    sizes = []

    def counted(x):
        sizes.append(len(x))
        return scores(x)

    found = run(name, counted, images, labels, 40, ball=Ball("linf", 2))

    assert np.array_equal(found[::2], images[::2])
    assert sizes[0] == 6
    assert max(sizes[1:]) <= 3
    assert sizes[1:] == sorted(sizes[1:], reverse=True), "what was broken is dropped"


@pytest.mark.parametrize("name", NAMES)
def test_the_margin_never_rises_and_falls_with_more_queries(name):
    images, (scores, _) = pictures(40), linear()
    labels = scores(images).argmax(axis=1)

    def margins(x):
        found = scores(x).astype(float)
        own = found[np.arange(len(x)), labels].copy()
        found[np.arange(len(x)), labels] = -np.inf
        return own - found.max(axis=1)

    few, many = (run(name, scores, images, labels, q, ball=Ball("linf", 1)) for q in (3, 300))

    assert (margins(few) <= margins(images)).all()
    assert (margins(many) <= margins(images)).all()
    assert margins(many).clip(0).mean() < margins(few).clip(0).mean()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_question_or_no_answer_is_refused(name):
    images, (scores, _) = pictures(), linear()
    labels = scores(images).argmax(axis=1)

    for broken in (
        (scores, images.astype(np.float32), labels, 5),
        (scores, images[0], labels, 5),
        (scores, images, labels[:3], 5),
        (scores, images, labels.astype(float), 5),
        (scores, images, labels + 3, 5),
        (scores, images, labels - 5, 5),
        (scores, images, labels, 0),
        (lambda x: scores(x)[:, :1], images, labels * 0, 5),
        (lambda x: scores(x) * np.nan, images, labels, 5),
        (lambda x: scores(x)[:-1], images, labels, 5),
    ):
        with pytest.raises(UsageError):
            run(name, *broken)


@pytest.mark.parametrize("name", NAMES)
def test_scores_without_end_are_answers_too(name):
    """Logarithms of probabilities are minus infinity where a softmax is sure."""

    def sure(x):
        bright = x.mean(axis=(1, 2, 3)) > 100
        return np.where(bright[:, None], [0.0, -np.inf], [-np.inf, 0.0]).astype(np.float32)

    images = np.full((3, 8, 8, 3), 101, np.uint8)
    found = run(name, sure, images, np.zeros(3, np.int64), 60)

    assert found.shape == images.shape
