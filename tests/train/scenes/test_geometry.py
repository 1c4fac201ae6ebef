"""train.scenes.geometry: pictures, boxes and class maps are moved as one."""

import pytest
import torch

import scenes
from foveal.data.scene import VOID
from foveal.train.scenes.annotations import Boxes, numbers_of
from foveal.train.scenes.geometry import SEEN, Moves, clipped, drawn, mosaic

STILL = {"flip": 0.0, "upside_down": 0.0, "turn": 0.0, "zoom": 0.0, "stretch": 0.0}
EVERYTHING = {"flip": 1.0, "upside_down": 1.0, "turn": 1.0, "zoom": 0.5, "stretch": 0.2}
HEIGHT, WIDTH = 48, 64


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_square(box) -> torch.Tensor:
    """A black picture with one white rectangle."""
    left, top, right, bottom = box
    image = torch.zeros(1, HEIGHT, WIDTH)
    image[:, top:bottom, left:right] = 1
    return image


def test_without_strengths_nothing_moves() -> None:
    images = torch.rand(3, 2, HEIGHT, WIDTH, generator=generator(0))

    moves = drawn(3, (HEIGHT, WIDTH), STILL, generator(1))

    torch.testing.assert_close(moves.images(images), images, atol=1e-5, rtol=0)
    boxes = torch.tensor([[[3.0, 4.0, 10.0, 12.0]]]).expand(3, 1, 4)
    torch.testing.assert_close(moves.boxes(boxes), boxes)


@pytest.mark.parametrize("seed", range(12))
def test_a_box_stays_around_what_it_was_around(seed: int) -> None:
    box = (20, 14, 36, 30)
    moves = drawn(1, (HEIGHT, WIDTH), EVERYTHING, generator(seed))

    image = moves.images(one_square(box)[None])[0, 0]
    found = clipped(
        Boxes(
            moves.boxes(torch.tensor([[box]]).float()),
            torch.zeros(1, 1, dtype=torch.int64),
            torch.ones(1, 1),
            numbers_of(1, 1),
        ),
        torch.tensor([0.0, 0.0, WIDTH, HEIGHT]),
    ).boxes[0, 0]

    rows, columns = (image > 0.5).nonzero().unbind(1)
    if len(rows):
        seen = torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float()
        assert (seen - found).abs().max() <= 1.0


@pytest.mark.parametrize("seed", range(6))
def test_a_class_map_moves_with_its_picture(seed: int) -> None:
    box = (18, 10, 40, 34)
    moves = drawn(1, (HEIGHT, WIDTH), EVERYTHING, generator(seed))
    image = one_square(box)

    shown = moves.images(image[None])[0, 0]
    regions = moves.maps(image, outside=VOID)[0]

    inside, outside = shown > 0.999, shown < 0.001
    assert bool((regions[inside] == 1).all())
    assert set(regions[outside].unique().tolist()) <= {0, VOID}


def test_what_comes_in_from_outside_says_nothing() -> None:
    moves = Moves(torch.eye(2)[None] / 2, torch.zeros(1, 2))

    regions = moves.maps(torch.full((1, HEIGHT, WIDTH), 7.0), outside=VOID)[0]

    assert bool((regions[: HEIGHT // 2 - 1, : WIDTH // 2 - 1] == 7).all())
    assert bool((regions[HEIGHT // 2 + 1 :] == VOID).all())


def test_turning_keeps_everything_in_the_frame() -> None:
    turned = {**STILL, "turn": 2.0}  # all of them: half of the strength is the share
    moves = drawn(8, (HEIGHT, WIDTH), turned, generator(3))

    corners = moves.boxes(torch.tensor([[[0.0, 0.0, WIDTH, HEIGHT]]]).expand(8, 1, 4))[:, 0]

    assert bool((moves.matrix[:, 0, 0] == 0).all())
    assert bool((corners[:, :2] >= -1e-3).all())
    assert bool((corners[:, 2:] <= torch.tensor([WIDTH, HEIGHT]) + 1e-3).all())


def test_an_object_of_which_too_little_is_left_does_not_count() -> None:
    boxes = torch.tensor([[[-30.0, 0.0, 10.0, 20.0], [-28.0, 0.0, 12.0, 20.0], [70.0, 0.0, 80.0, 9.0]]])
    weights = torch.ones(1, 3)

    found = clipped(
        Boxes(boxes, torch.zeros(1, 3, dtype=torch.int64), weights, numbers_of(1, 3)),
        torch.tensor([0.0, 0.0, WIDTH, HEIGHT]),
    )

    assert pytest.approx(0.25) == SEEN
    assert found.weights.tolist() == [[1.0, 1.0, 0.0]]
    assert found.boxes[0, 0].tolist() == [0.0, 0.0, 10.0, 20.0]
    slightly_less = clipped(
        Boxes(boxes - 1.0, torch.zeros(1, 3, dtype=torch.int64), weights, numbers_of(1, 3)),
        torch.tensor([0.0, 0.0, WIDTH, HEIGHT]),
    )
    assert slightly_less.weights[0, 0] == 0


def test_what_is_ignored_stays_so_as_long_as_any_of_it_is_there() -> None:
    boxes = torch.tensor([[[-90.0, 0.0, 1.0, 9.0], [-90.0, 0.0, 1.0, 9.0], [-9.0, 0.0, 0.0, 9.0]]])
    labels, weights = torch.zeros(1, 3, dtype=torch.int64), torch.tensor([[1.0, -1.0, -1.0]])

    found = clipped(Boxes(boxes, labels, weights, numbers_of(1, 3)), torch.tensor([0.0, 0.0, WIDTH, HEIGHT]))

    assert found.weights.tolist() == [[0.0, -1.0, 0.0]]
    assert found.boxes[0, 1].tolist() == [0.0, 0.0, 1.0, 9.0]


def test_a_mosaic_is_made_of_its_pictures_each_in_its_place() -> None:
    pixels, boxes, labels = scenes.squares(6, side=64, seed=5)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    truth = Boxes.of(boxes, labels)

    made, found = mosaic(images, truth, 1.0, generator(0))

    same = (made[:, None] == images[None]).all(2)  # which picture each pixel could be from
    assert bool(same.any(1).all())
    assert bool((same.flatten(2).float().mean(2).max(1).values < 1).all())  # none is a picture as it was
    # What is told to be there is there: the middle of each box has the level of its class.
    for row, (own, names, weights) in enumerate(zip(found.boxes, found.labels, found.weights, strict=True)):
        for box, label, weight in zip(own, names, weights, strict=True):
            if weight:
                x, y = int((box[0] + box[2]) / 2), int((box[1] + box[3]) / 2)
                assert abs(float(made[row, :, y, x].mean()) - scenes.LEVELS[int(label)]) < 40


def test_no_mosaic_changes_nothing() -> None:
    pixels, boxes, labels = scenes.squares(4, seed=1)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()

    made, found = mosaic(images, Boxes.of(boxes, labels), 0.0, generator(0))

    assert torch.equal(made, images)
    for row, own in enumerate(boxes):
        kept = found.boxes[row][found.weights[row] > 0]
        torch.testing.assert_close(kept, torch.from_numpy(own))
