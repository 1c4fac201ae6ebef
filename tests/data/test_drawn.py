"""data.drawn: colours where something is, nothing elsewhere, and names that do not cover each other."""

import numpy as np
import pytest

from bad_inputs.made import photo
from foveal.data.drawn import PALETTE, colour_of, drawn
from foveal.data.outline import Polygons, Runs
from foveal.data.scene import VOID, Objects

CLASSES = ("cat", "dog")


def objects(*boxes: tuple[float, ...], ignored: bool = False, outlines: tuple = ()) -> Objects:
    count = len(boxes)
    return Objects(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.arange(count) % 2,
        np.full(count, ignored),
        outlines,
    )


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def test_a_box_is_drawn_in_the_colour_of_its_class_and_leaves_its_inside_alone() -> None:
    pixels = photo(200, 300)

    result = drawn(pixels, CLASSES, objects=objects((50, 60, 150, 160)))

    assert (result.shape, result.dtype) == ((200, 300, 3), np.uint8)
    assert tuple(result[110, 50]) == tuple(result[110, 149]) == colour_of(0)
    assert not changed(pixels, result)[80:150, 60:140].any()
    assert not changed(pixels, result)[165:].any()
    assert np.array_equal(pixels, photo(200, 300)), "what was given is left as it was"


def test_what_is_ignored_is_grey() -> None:
    result = drawn(photo(200, 300), CLASSES, objects=objects((50, 60, 150, 160), ignored=True))

    assert tuple(result[110, 50]) == (150, 150, 150)


def test_nothing_stated_is_nothing_drawn_and_grey_becomes_rgb() -> None:
    pixels = photo(20, 30)

    assert np.array_equal(drawn(pixels, CLASSES), pixels)
    assert np.array_equal(drawn(pixels, CLASSES, objects=objects()), pixels)
    assert np.array_equal(drawn(pixels[:, :, :1], CLASSES), np.repeat(pixels[:, :, :1], 3, axis=2))


def test_outlines_are_filled_where_they_cover_something() -> None:
    pixels = photo(200, 300)
    mask = np.zeros((200, 300), bool)
    mask[120:180, 200:280] = True
    triangle = Polygons((np.array([[20, 20], [120, 20], [120, 90]], np.float32),))

    both = objects((20, 20, 120, 90), (200, 120, 280, 180), outlines=(triangle, Runs.of(mask)))
    result = drawn(pixels, CLASSES, objects=both)

    change = changed(pixels, result)
    assert change[30:60, 100:115].all()
    assert change[130:175, 210:275].all()
    assert not change[92:100].any()


def test_a_scaled_drawing_has_its_lines_where_the_object_is() -> None:
    result = drawn(photo(20, 30), CLASSES, objects=objects((10, 5, 20, 15)), longest=600)

    assert result.shape == (400, 600, 3)
    assert tuple(result[200, 200]) == tuple(result[200, 398]) == colour_of(0)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3)])
def test_any_size_and_any_box_can_be_drawn(size: tuple[int, int]) -> None:
    some = objects((0, 0, 1, 1), (-50, -50, 1000, 1000), (2, 2, 2, 2), (9, 9, 4, 4), (1e6, 1e6, 2e6, 2e6))

    assert drawn(photo(*size), CLASSES, objects=some).shape == (*size, 3)
    assert drawn(photo(*size), CLASSES, objects=some, longest=64).shape[2] == 3


def test_regions_are_coloured_and_void_is_left_alone() -> None:
    pixels = photo(100, 200)
    regions = np.full((100, 200), VOID, np.uint8)
    regions[:, :80] = 1

    change = changed(pixels, drawn(pixels, CLASSES, regions=regions))

    assert change[:, :80].all()
    assert not change[:, 82:].any()


def test_names_and_scores_are_written() -> None:
    pixels = np.full((200, 300, 3), 128, np.uint8)
    some = objects((50, 60, 150, 160))

    plain = drawn(pixels, CLASSES, objects=some)
    sure = drawn(pixels, CLASSES, objects=some, scores=np.array([0.87], np.float32))
    alone = drawn(pixels, ("cat",), objects=some)

    def label(picture: np.ndarray) -> np.ndarray:
        return changed(picture[40:58, 40:150], pixels[40:58, 40:150])

    assert label(sure).sum() > label(plain).sum() > 0
    assert label(alone).sum() == 0, "of one class alone a name says nothing"


def test_names_are_left_out_where_others_are() -> None:
    pixels = np.full((200, 200, 3), 128, np.uint8)
    many = objects(*[(90, 90, 110, 110)] * 40)

    assert changed(drawn(pixels, CLASSES, objects=many), pixels).mean() < 0.1


def test_colours_differ_in_lightness_or_hue() -> None:
    colours = np.array([colour_of(k) for k in range(len(PALETTE))], float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 1e3 * np.eye(len(colours))

    assert apart.min() > 30
    assert colour_of(len(PALETTE)) == colour_of(0)


def test_of_many_small_objects_no_name_hides_others() -> None:
    pixels = np.full((120, 160, 3), 90, np.uint8)
    corners = np.array([(x, y) for y in range(5, 105, 20) for x in range(5, 125, 30)], np.float32)
    boxes = np.concatenate([corners, corners + 8], axis=1)

    def seen(count: int, *, told: bool) -> np.ndarray:
        some = Objects(boxes[:count], np.zeros(count, np.int64), np.zeros(count, bool))
        return drawn(pixels, ("a",), objects=some, scores=np.full(count, 0.5, np.float32) if told else None)

    assert (seen(20, told=True) == seen(20, told=False)).all()
    assert not (seen(12, told=True) == seen(12, told=False)).all()
