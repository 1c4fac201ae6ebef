"""data.outline: runs of masks, beside pycocotools and beside the whole masks they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from foveal.data.outline import Runs


def drawn(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random((height, width)) < rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.integers(0, 4))
def test_a_part_laid_into_a_picture_has_the_runs_of_the_whole(
    seed: int, height: int, width: int, left: int, top: int
) -> None:
    part = drawn(seed, height, width)
    size = height + top + seed % 3, width + left + seed % 2
    whole = np.zeros(size, bool)
    whole[top : top + height, left : left + width] = part

    runs = Runs.within(part, left, top, height=size[0], width=size[1])

    np.testing.assert_array_equal(runs.mask(*size), whole)
    np.testing.assert_array_equal(runs.counts, Runs.of(whole).counts)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 12))
def test_what_json_tells_is_what_pycocotools_reads(seed: int, height: int, width: int) -> None:
    mask = drawn(seed, height, width)

    told = Runs.of(mask).as_json()

    packed = coco.frPyObjects(told, height, width)
    np.testing.assert_array_equal(coco.decode(packed).astype(bool), mask)
    np.testing.assert_array_equal(Runs.from_json(told).mask(height, width), mask)


def test_runs_have_one_size() -> None:
    with pytest.raises(ValueError, match="4 × 3"):
        Runs.of(np.ones((3, 4), bool)).mask(4, 3)
