"""Stickers: black or white, two of them, no more of the picture than was allowed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.perturb.attacks.black_box.stickers import stickers

RNG = np.random.default_rng


@given(
    share=st.floats(0.02, 0.9),
    height=st.integers(10, 40),
    width=st.integers(10, 40),
    queries=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_cover_at_most_the_share_with_black_or_white(share, height, width, queries, seed):
    images = RNG(seed).integers(1, 255, (3, height, width, 3), dtype=np.uint8)  # neither black nor white

    def scores(x):
        return np.stack([np.zeros(len(x)), np.abs(x - 127.5).mean(axis=(1, 2, 3)) / 1000 - 1], axis=1)

    found = stickers(scores, images, np.zeros(3, np.int64), share=share, queries=queries, rng=RNG(seed))

    changed = (found != images).any(axis=3)
    assert changed.any(axis=(1, 2)).all()
    assert (changed.mean(axis=(1, 2)) <= share + 1e-12).all()
    assert set(np.unique(found[changed])) <= {0, 255}
    for one in found[changed].reshape(-1, 3):
        assert len(set(one.tolist())) == 1, "no colours"


def test_find_the_one_place_that_matters():
    """A recognizer that looks at one corner only: all that helps is white there."""

    def scores(x):
        corner = x[:, 18:, 18:].astype(float).mean(axis=(1, 2, 3))
        return np.stack([200 - corner, corner - 200], axis=1).astype(np.float32)

    images = np.full((10, 24, 24, 3), 120, np.uint8)
    found = stickers(scores, images, np.zeros(10, np.int64), share=0.16, queries=200, rng=RNG(0))

    assert (scores(found).argmax(axis=1) == 1).mean() >= 0.9
    assert (scores(images).argmax(axis=1) == 0).all()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 0.001])
def test_a_share_that_is_none_or_less_than_a_pixel_is_refused(share):
    with pytest.raises(UsageError, match="stickers cover a share"):
        stickers(
            lambda x: np.zeros((len(x), 2)),
            np.zeros((1, 16, 16, 3), np.uint8),
            np.zeros(1, np.int64),
            share=share,
            queries=5,
            rng=RNG(0),
        )
