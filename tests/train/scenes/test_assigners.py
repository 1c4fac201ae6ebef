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

    near = table(there, places()).any(1)
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


def table(there: Boxes, where: Places) -> torch.Tensor:
    """Return which places may answer for which object, bool (N, M, P), from all middles and all boxes."""
    low, high = there.boxes[..., None, :2], there.boxes[..., None, 2:]
    inside = ((where.middles > low) & (where.middles < high)).all(-1)
    far = ((where.middles - (low + high) / 2) ** 2).sum(-1)
    nearest = torch.zeros_like(inside).scatter_(2, far.argmin(2, keepdim=True), True)
    inside = torch.where(inside.any(2, keepdim=True), inside, nearest)
    return inside & (there.weights > 0)[..., None]


def crowd(seed: int, pictures: int = 3, objects: int = 40) -> Boxes:
    """Objects of all sizes, some beyond the border, some without any middle, some rows empty."""
    generator = torch.Generator().manual_seed(seed)
    sides = torch.rand(pictures, objects, 2, generator=generator) ** 3 * 60 + 0.5
    corner = torch.rand(pictures, objects, 2, generator=generator) * 90 - 8
    boxes = torch.cat([corner, corner + sides], 2)
    weights = (torch.rand(pictures, objects, generator=generator) < 0.8).float()
    labels = torch.randint(0, CLASSES, (pictures, objects), generator=generator)
    return Boxes(boxes, labels, weights, numbers_of(*labels.shape)).compact()


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_those_of_the_table_of_all(seed: int) -> None:
    there = crowd(seed)

    own, place = reached(there, places())

    found = torch.zeros(there.weights.numel(), len(there) * HEIGHT * WIDTH, dtype=torch.bool)
    found[own, place] = True
    assert len(own) == int(found.sum()), "each pair once"
    for row in range(len(there)):
        room = there.boxes.shape[1]
        mine = found[row * room : (row + 1) * room]
        at = slice(row * HEIGHT * WIDTH, (row + 1) * HEIGHT * WIDTH)
        assert torch.equal(mine[:, at], table(there, places())[row])
        assert int(mine.sum()) == int(mine[:, at].sum()), "of the same picture"


@pytest.mark.parametrize("most", [1, 4, 10])
@pytest.mark.parametrize("seed", range(4))
def test_aligned_gives_what_the_table_of_all_pairs_gives(seed: int, most: int) -> None:
    """By the definition: over all objects and all places, one picture and one object at a time."""
    there, generator = crowd(seed), torch.Generator().manual_seed(100 + seed)
    count = HEIGHT * WIDTH
    logits = torch.randn(3, CLASSES, count, generator=generator)
    middles, reach = places().middles, 4 + 30 * torch.rand(3, count, 2, generator=generator)
    answers = torch.cat([middles - reach, middles + reach], 2)

    targets = Aligned(most=most).assign(logits, answers, there, places())

    allowed = table(there, places())
    heat, weights = torch.zeros(3, CLASSES, count), torch.zeros(3, count)
    for row in range(3):
        near = overlaps(there.boxes[row][:, None], answers[row][None])
        fits = logits[row].sigmoid()[there.labels[row]] ** 0.5 * near**6
        wants = torch.zeros_like(near)
        for one in torch.nonzero(there.weights[row] > 0)[:, 0].tolist():
            inside = torch.nonzero(allowed[row, one])[:, 0]
            taken = inside[fits[one, inside].argsort(descending=True)[:most]]
            wants[one, taken] = near[one, taken] + 1e-9
        for place in torch.nonzero(wants.amax(0) > 0)[:, 0].tolist():
            wants[wants[:, place] < wants[:, place].max(), place] = 0
        for one in range(len(wants)):
            won = wants[one] > 0
            if won.any() and fits[one, won].max() > 0:
                weights[row, won] = fits[one, won] / (fits[one, won].max() + 1e-9) * near[one, won].max()
                heat[row, there.labels[row, one], won] = weights[row, won]
    torch.testing.assert_close(targets.weights, weights, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(targets.heat, heat, atol=1e-5, rtol=1e-4)


def test_thousands_of_objects_need_little_memory() -> None:
    """The table of all pairs would have 2 · 10⁹ entries."""
    side, stride = 256, 8
    grid = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="xy"), 2)
    where = Places((grid.reshape(-1, 2) + 0.5) * stride, side, stride)
    there = Boxes(
        torch.rand(8, 4000, 4) * 16 + torch.rand(8, 4000, 1) * 2000 + torch.tensor([0, 0, 20, 20]),
        torch.zeros(8, 4000, dtype=torch.int64),
        torch.ones(8, 4000),
        numbers_of(8, 4000),
    )
    answers = torch.cat([where.middles - 12, where.middles + 12], 1)[None].expand(8, -1, -1)

    targets = Aligned().assign(torch.zeros(8, 1, side * side), answers, there, where)

    assert int((targets.weights > 0).sum()) > 8000
