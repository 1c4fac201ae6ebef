"""train.scenes.assigners: which places answer for which object."""

import pytest
import torch

from foveal.core import catalog
from foveal.train.scenes import assigners
from foveal.train.scenes._boxes import generalized, overlaps
from foveal.train.scenes.annotations import Boxes, numbers_of
from foveal.train.scenes.assigners._targets import Places
from foveal.train.scenes.assigners.aligned import Aligned, reached

HEIGHT, WIDTH, STRIDE, CLASSES = 8, 10, 8, 3
NAMES = catalog.names(assigners)


def places() -> Places:
    x = (torch.arange(WIDTH) + 0.5) * STRIDE
    y = (torch.arange(HEIGHT) + 0.5) * STRIDE
    grid = torch.stack([x[None].expand(HEIGHT, WIDTH), y[:, None].expand(HEIGHT, WIDTH)], 2).reshape(-1, 2)
    return Places(grid, WIDTH, STRIDE)


def truth() -> Boxes:
    """Two pictures: two objects that overlap and a tiny one between four places; one object alone."""
    boxes = torch.tensor(
        [
            [[4.0, 4.0, 44.0, 36.0], [30.0, 10.0, 70.0, 60.0], [16.0, 48.0, 18.0, 50.0]],
            [[8.0, 8.0, 72.0, 56.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]],
        ]
    )
    labels = torch.tensor([[0, 1, 2], [2, 0, 0]])
    return Boxes(boxes, labels, torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]), numbers_of(2, 3))


def assigned(name: str, boxes=None, logits=None):
    count = HEIGHT * WIDTH
    there = truth()
    middles = places().middles
    answers = torch.cat([middles - 16, middles + 16], 1)[None].expand(2, -1, -1) if boxes is None else boxes
    scores = torch.full((2, CLASSES, count), -4.6) if logits is None else logits
    return catalog.find(assigners, name)().assign(scores, answers, there, places()), there


@pytest.mark.parametrize("name", NAMES)
def test_every_object_is_answered_for_and_nothing_else_is(name: str) -> None:
    targets, there = assigned(name)

    for row in range(2):
        answering = targets.weights[row] > 0
        given = {tuple(box) for box in targets.boxes[row][answering].tolist()}
        assert given == {tuple(box) for box in there.boxes[row][there.weights[row] > 0].tolist()}
    assert float(targets.heat.min()) >= 0
    assert float(targets.heat.max()) <= 1.0


@pytest.mark.parametrize("name", NAMES)
def test_no_place_outside_of_all_objects_answers(name: str) -> None:
    targets, there = assigned(name)

    near = reached(there, places()).amax(1) > 0
    assert not bool((targets.weights[~near] > 0).any())


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_without_objects_wants_nothing(name: str) -> None:
    none = Boxes(
        torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1), numbers_of(1, 1)
    )
    assigner = catalog.find(assigners, name)()
    boxes = torch.rand(1, HEIGHT * WIDTH, 4).cumsum(2) * 8

    targets = assigner.assign(torch.zeros(1, CLASSES, HEIGHT * WIDTH), boxes, none, places())
    loss = assigner.class_loss(torch.zeros(1, CLASSES, HEIGHT * WIDTH), targets, 0.0)

    assert float(targets.heat.abs().max()) == 0
    assert float(targets.weights.abs().max()) == 0
    assert bool(loss.isfinite())


@pytest.mark.parametrize("name", NAMES)
def test_learning_what_is_wanted_ends_at_it(name: str) -> None:
    targets, _ = assigned(name)
    assigner = catalog.find(assigners, name)()
    logits = torch.zeros(targets.heat.shape, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(300):
        optimizer.zero_grad()
        assigner.class_loss(logits, targets, 4.0).backward()
        optimizer.step()

    found = logits.detach().sigmoid()
    # Where most is wanted most is answered, and where nothing is wanted next to nothing.
    assert torch.equal(found.flatten(1).argmax(1), targets.heat.flatten(1).argmax(1))
    assert float(found[targets.heat == 0].max()) < 0.1


def test_a_gaussian_has_one_top_of_1_for_each_object() -> None:
    targets, there = assigned("gaussian")

    assert int((targets.heat == 1).sum()) == int((there.weights > 0).sum())


def test_aligned_follows_the_boxes_that_fit_best() -> None:
    there = truth()
    count = HEIGHT * WIDTH
    boxes = torch.zeros(2, count, 4)
    best = 2 * WIDTH + 2  # a place inside of the first object alone
    boxes[0, best] = there.boxes[0, 0]
    logits = torch.zeros(2, CLASSES, count)

    targets, _ = assigned("aligned", boxes=boxes, logits=logits)

    assert targets.weights[0, best] == pytest.approx(1.0, abs=1e-4)
    assert targets.heat[0, 0, best] == pytest.approx(1.0, abs=1e-4)
    assert torch.equal(targets.boxes[0, best], there.boxes[0, 0])


def test_at_most_so_many_places_answer_for_an_object() -> None:
    there = truth()
    middles = places().middles
    boxes = torch.cat([middles - 20, middles + 20], 1)[None].expand(2, -1, -1)

    targets = Aligned(most=3).assign(torch.zeros(2, CLASSES, HEIGHT * WIDTH), boxes, there, places())

    assert int((targets.weights[1] > 0).sum()) == 3


def test_overlaps_are_those_of_torchvision() -> None:
    from torchvision.ops import box_iou, generalized_box_iou

    corners = torch.rand(40, 4, generator=torch.Generator().manual_seed(0)) * 50
    boxes = torch.cat([corners[:, :2], corners[:, :2] + corners[:, 2:] + 1], 1)

    first, second = boxes[:15], boxes[15:]
    torch.testing.assert_close(
        overlaps(first[:, None], second[None]), box_iou(first, second), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        generalized(first[:, None], second[None]), generalized_box_iou(first, second), atol=1e-5, rtol=0
    )
