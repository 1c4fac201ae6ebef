"""bundle.tiled: large pictures are looked at in tiles, and what they show is told once."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.bundle.tiled import OVERLAP, _cut, _merged, tiles
from foveal.tasks.detect.decode import ObjectAnswers


@given(st.integers(1, 900), st.integers(1, 900), st.integers(32, 400))
def test_tiles_cover_the_picture_and_overlap(height: int, width: int, side: int) -> None:
    found = list(tiles(height, width, side=side))

    covered = np.zeros((height, width), bool)
    for top, left, bottom, right in found:
        assert 0 <= top < bottom <= height
        assert 0 <= left < right <= width
        assert bottom - top == min(side, height)
        assert right - left == min(side, width)
        covered[top:bottom, left:right] = True
    assert covered.all()
    lefts = sorted({left for _, left, _, _ in found})
    for one, other in itertools.pairwise(lefts):
        assert one + side - other >= OVERLAP * side - 1


@given(st.integers(40, 200), st.data())
def test_an_object_up_to_a_quarter_of_a_tile_is_whole_in_one_of_them(side: int, data) -> None:
    width = data.draw(st.integers(side, 6 * side))
    long = int(OVERLAP * side) - 2
    left = data.draw(st.integers(0, width - long))

    starts = [start for _, start, _, _ in tiles(side, width, side=side)]

    assert any(start <= left and left + long <= start + side for start in starts)


def part(*rows) -> ObjectAnswers:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return ObjectAnswers(
        boxes, np.array([row[1] for row in rows], np.float32), np.array([row[2] for row in rows], np.int64)
    )


def merged(parts, *, overlap: float, cut=()) -> ObjectAnswers:
    """Answers of tiles told as one; `cut` are the numbers of those that have only parts of objects."""
    return _merged(
        parts, [np.full(len(one.scores), place in cut) for place, one in enumerate(parts)], overlap=overlap
    )


def test_the_same_object_from_two_tiles_is_told_once_and_the_surer_one_stays() -> None:
    first = part(((10, 10, 50, 50), 0.6, 0), ((200, 10, 240, 50), 0.9, 0))
    second = part(((11, 10, 51, 50), 0.8, 0))

    found = merged([first, second], overlap=0.6)

    assert found.scores[0].tolist() == pytest.approx([0.9, 0.8])


def test_the_part_that_a_tile_cuts_is_no_second_object() -> None:
    whole, cut = part(((10, 10, 90, 50), 0.9, 0)), part(((60, 10, 90, 50), 0.7, 0))

    assert len(merged([whole, cut], overlap=0.6).scores[0]) == 1
    other = part(((60, 10, 90, 50), 0.7, 1))
    assert len(merged([whole, other], overlap=0.6).scores[0]) == 2  # of another class


def test_a_part_gives_way_to_the_whole_that_is_less_sure_but_not_to_anything() -> None:
    whole, cut, doubtful = (
        part(((10, 10, 90, 50), score, 0), ((0, 100, 20, 120), 0.75, 0))
        if score
        else part(((60, 10, 90, 50), 0.9, 0))
        for score in (0.7, 0.0, 0.3)
    )

    found = merged([cut, whole], overlap=0.6, cut=(0,))
    assert found.scores[0].tolist() == pytest.approx([0.75, 0.7])  # with their own scores, the surest first
    assert found.boxes[0, 1].tolist() == [10, 10, 90, 50]
    assert merged([cut, doubtful], overlap=0.6, cut=(0,)).scores[0].tolist() == pytest.approx([0.9, 0.75])


def test_what_ends_inside_of_the_picture_where_its_tile_does_is_cut() -> None:
    window, size = (0, 75, 100, 175), (100, 250)
    boxes = {
        (80, 10, 120, 50): False,
        (75.5, 10, 120, 50): True,
        (100, 10, 174, 50): True,
        (80, 0, 120, 100): False,  # the picture ends there, too
    }

    assert _cut(np.array(list(boxes), np.float32), window, size).tolist() == list(boxes.values())
    assert not _cut(np.array([[0, 0, 250, 100]], np.float32), (0, 0, 100, 250), size).any()


def test_what_one_tile_told_apart_stays_apart() -> None:
    crowd = part(((10, 10, 50, 50), 0.9, 0), ((12, 12, 48, 48), 0.8, 0))

    assert len(merged([crowd], overlap=0.6).scores[0]) == 2


def test_nothing_in_any_tile_is_nothing() -> None:
    found = merged([part(), part()], overlap=0.6)

    assert found.boxes.shape == (1, 0, 4)
