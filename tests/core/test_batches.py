"""core.batches: every picture once, in order, and never more pixels together than agreed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.batches import MOST, at_once, batches, in_parts, together

SHAPES = st.sampled_from([(2, 2, 1), (96, 96, 3), (700, 700, 1), (1100, 1000, 1), (2, 300, 400, 3)])


@given(SHAPES, st.integers(0, 5), st.booleans(), st.integers(0, 2**32))
def test_parts_are_the_pictures_in_order(shape, count, chosen, seed) -> None:
    rng = np.random.default_rng(seed)
    images = np.arange(count, dtype=np.uint8)[(...,) + (None,) * len(shape)] + np.zeros(shape, np.uint8)
    rows = rng.integers(count, size=count + 2) if chosen and count else None

    parts = list(batches(images[::-1], rows))

    wanted = images[::-1] if rows is None else images[::-1][rows]
    assert sum(map(len, parts)) == len(wanted)
    assert all(part.flags.c_contiguous for part in parts)
    if parts:
        np.testing.assert_array_equal(np.concatenate(parts), wanted)
        assert {len(part) for part in parts[:-1]} <= {at_once(shape)}
        assert 1 <= len(parts[-1]) <= at_once(shape)


@pytest.mark.parametrize(("shape", "count"), [((8, 8, 1), MOST), ((1, 1, 3), MOST), ((5000, 5000, 3), 1)])
def test_no_picture_is_too_small_or_too_large(shape, count) -> None:
    assert at_once(shape) == count


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_together_they_have_a_million_pixels_at_most_unless_one_has(height, width) -> None:
    count = at_once((height, width, 3))

    assert count == 1 or count * height * width <= 2**20
    assert count == MOST or (count + 1) * height * width > 2**20


@given(st.integers(0, 200), st.lists(st.integers(1, 300), min_size=2, max_size=3))
def test_a_file_is_asked_about_every_place_once_in_order_and_about_few_frames(count, sides) -> None:
    shape = (*sides, 3)
    parts = in_parts(count, shape)

    assert [place for part in parts for place in part] == list(range(count))
    assert {len(part) for part in parts[:-1]} <= {together(shape)}
    assert 2 <= together(shape) <= 32
    assert together(shape) == 2 or together(shape) * np.prod(sides) <= 2**20
