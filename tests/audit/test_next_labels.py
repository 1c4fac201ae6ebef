"""Which pictures to label next: against the slopes written out; what is sure or alike is not drawn twice."""

import numpy as np
import pytest

from foveal.audit.next_labels import _Slopes, next_labels
from foveal.core.errors import UsageError


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def told():
    rng = np.random.default_rng(0)
    return softmax(rng.normal(size=(60, 4))), rng.normal(size=(60, 7)).astype(np.float32)


def test_distances_are_those_of_the_slopes_of_the_last_layer(told) -> None:
    probabilities, features = told
    wrong = probabilities.astype(np.float64)
    wrong[np.arange(60), wrong.argmax(axis=1)] -= 1
    written = (wrong[:, :, None] * features[:, None, :].astype(np.float64)).reshape(60, -1)
    slopes = _Slopes(wrong, features.astype(np.float64))
    np.testing.assert_allclose(slopes.lengths(), (written**2).sum(axis=1))
    for place in (0, 17):
        np.testing.assert_allclose(
            slopes.distances(place), ((written - written[place]) ** 2).sum(axis=1), atol=1e-9
        )


def test_the_first_would_change_the_last_layer_most(told) -> None:
    probabilities, features = told
    wrong = probabilities.copy()
    wrong[np.arange(60), wrong.argmax(axis=1)] -= 1
    lengths = (wrong**2).sum(axis=1) * (features**2).sum(axis=1)
    assert next_labels(probabilities, features, count=3, seed=0)[0] == lengths.argmax()


def test_all_are_different_and_the_seed_decides(told) -> None:
    chosen = next_labels(*told, count=40, seed=0)
    assert len(set(chosen.tolist())) == 40
    assert chosen.tolist() == next_labels(*told, count=40, seed=0).tolist()
    assert chosen.tolist() != next_labels(*told, count=40, seed=1).tolist()
    assert sorted(next_labels(*told, count=999, seed=0).tolist()) == list(range(60))


def test_of_what_is_sure_one_stands_for_all() -> None:
    """Sure pictures would change nothing: all of them lie at 0 together."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(200, 4))
    logits[:180, 0] += 30  # sure
    chosen = next_labels(softmax(logits), rng.normal(size=(200, 8)).astype(np.float32), count=20, seed=0)
    assert (chosen < 180).sum() <= 1


def test_of_many_that_are_alike_few_are_suggested() -> None:
    """190 copies of one unsure picture and 10 others: by unsureness alone the copies would be taken."""
    rng = np.random.default_rng(0)
    logits, features = rng.normal(size=(200, 4)) * 0.1, rng.normal(size=(200, 8))
    logits[:190], features[:190] = 0.0, 1.0
    chosen = next_labels(softmax(logits), features.astype(np.float32), count=11, seed=0)
    assert (chosen < 190).sum() == 1


def test_none_and_other_shapes() -> None:
    assert len(next_labels(np.empty((0, 3), np.float32), np.empty((0, 5), np.float32), count=4, seed=0)) == 0
    with pytest.raises(UsageError):
        next_labels(np.ones((3, 2), np.float32), np.ones((4, 2), np.float32), count=1, seed=0)
