"""Detectors made of torchvision's parts answer as torchvision does with the same weights."""

import pytest
import torch
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.ops import box_iou

from foveal import models
from foveal.models._distinct import distinct
from foveal.models._outline import outlined
from foveal.models._torchvision_detector import listed, log_odds
from foveal.models.detectors.mask_rcnn import drawn

SIDES, CLASSES = (64, 96), 3
# All boxes become proposals, so that those of torchvision, which chooses them map by map, are among ours.
ALL = {name: {"proposals": 2000} for name in ("faster_rcnn", "mask_rcnn")}
DETECTORS = ["faster_rcnn", "fcos", "mask_rcnn", "retinanet", "ssdlite"]


def network(name: str, **extra):
    """A detector with random weights whose answers differ from place to place and class to class."""
    torch.manual_seed(1)
    made = models.architecture(name).build(channels=3, classes=CLASSES, size=list(SIDES), **extra).eval()
    pictures = torch.randn(8, 3, *SIDES, generator=torch.Generator().manual_seed(2))
    made.train()
    with torch.no_grad():
        for layer in made.outputs:
            torch.nn.init.normal_(layer.weight, std=0.1)
            torch.nn.init.zeros_(layer.bias)
        made.detector.backbone(pictures)  # statistics of what normalizes
    return made.eval(), pictures[:3]


@pytest.mark.parametrize("name", DETECTORS)
def test_what_torchvision_finds_is_among_the_candidates(name: str) -> None:
    made, pictures = network(name, **ALL.get(name, {}))

    with torch.no_grad():
        theirs = made.detector(pictures)
        boxes, logits = made.candidates(pictures)

    limit = torch.tensor([SIDES[1], SIDES[0]] * 2)
    for found, own, scores in zip(theirs, boxes, logits.sigmoid(), strict=True):
        assert len(found["boxes"]) > 10
        near = torch.cdist(found["boxes"], torch.minimum(own.clamp(min=0), limit), p=torch.inf) < 1e-2
        told = scores[:, found["labels"] - made.first_class].T
        apart = torch.where(near, (told - found["scores"][:, None]).abs(), torch.inf).amin(1)
        assert float(apart.max()) < 1e-4


def test_masks_are_those_of_torchvision_where_their_boxes_lie() -> None:
    made, pictures = network("mask_rcnn", **ALL["mask_rcnn"])

    with torch.no_grad():
        theirs = made.detector(pictures)
        boxes, _, masks = made.outlined(pictures)

    for found, own, told in zip(theirs, boxes, masks, strict=True):
        near = torch.cdist(found["boxes"], own, p=torch.inf)
        wanted = drawn(found["masks"][None, :, 0].logit(), found["boxes"][None], (16, 24))[0]
        assert float(near.amin(1).max()) < 1e-2
        assert float(wanted.std()) > 0.1
        torch.testing.assert_close(told[near.argmin(1)], wanted, atol=2e-2, rtol=0)


def test_what_torchvision_sees_of_a_mask_inside_a_box_is_drawn_back_to_where_it_was() -> None:
    side = 96

    def away(box, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Across and down from the middle of a box, in halves of its sides."""
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        return (places[None] - middle[0]) / half[0], (places[:, None] - middle[1]) / half[1]

    fine = (torch.arange(side // 4) + 0.5) * 4
    for box in torch.tensor([[20.0, 10.0, 76.0, 66.0], [32.0, 42.0, 60.0, 90.0]]):
        across, down = away(box, torch.arange(side) + 0.5)
        mask = across.hypot(down) < 1  # the ellipse that fills the box
        seen = project_masks_on_boxes(mask[None].byte(), box[None], torch.zeros(1), 14)

        found = drawn(seen[None].clamp(0.01, 0.99).logit(), box[None, None], (side // 4,) * 2)[0, 0]

        across, down = away(box, fine)
        within, radius = (across.abs() < 1) & (down.abs() < 1), across.hypot(down)
        clear = within & ((radius - 1).abs() > 0.1)
        assert torch.equal((found > 0)[clear], (radius < 1)[clear])
        inside = found.sigmoid() * within
        middle = torch.stack([(inside * fine).sum(), (inside * fine[:, None]).sum()]) / inside.sum()
        torch.testing.assert_close(middle, (box[:2] + box[2:]) / 2, atol=0.3, rtol=0)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_loss_is_finite_with_and_without_objects_and_teaches_every_layer(name: str) -> None:
    made, pictures = network(name)
    made.train()
    boxes = [torch.tensor([[4.0, 6.0, 30.0, 40.0], [50.0, 10.0, 90.0, 60.0]]), torch.zeros(0, 4)]
    labels = [torch.tensor([0, CLASSES - 1]), torch.zeros(0, dtype=torch.int64)]

    masks = [[torch.ones(len(some), *SIDES, dtype=torch.uint8) for some in boxes]] * (name == "mask_rcnn")

    made.loss(pictures[:2], boxes, labels, *masks).backward()

    silent = [name for name, weight in made.named_parameters() if weight.grad is None]
    assert silent == []
    none = [[part[1]] * 2 for part in (boxes, labels, *masks)]
    nothing = made.loss(pictures[:2], *none)
    assert bool(nothing.isfinite())


@pytest.mark.parametrize("name", DETECTORS)
def test_in_coarser_numbers_boxes_and_losses_stay_exact(name: str) -> None:
    made, pictures = network(name)
    found = []
    made.detector.backbone.register_forward_hook(lambda *given: found.extend(given[2].values()))

    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        boxes, logits = made.candidates(pictures)

    assert {maps.dtype for maps in found} == {torch.float32}
    assert boxes.dtype == logits.dtype == torch.float32


def test_proposals_are_the_best_that_differ() -> None:
    made, pictures = network("faster_rcnn", proposals=20)

    with torch.no_grad():
        maps = list(made.detector.backbone(pictures).values())
        proposals = made.proposed(pictures, maps)
        objects, _ = made.detector.rpn.head(maps)

    assert proposals.shape == (3, 20, 4)
    for some in proposals:
        near = box_iou(some, some).fill_diagonal_(0)
        assert float(near.max()) <= 0.7
    assert made.starts.shape[0] == sum(one[0].numel() for one in objects)


def test_boxes_that_a_better_one_covers_are_dropped_in_each_picture_alone() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 5], [20, 20, 30, 30]])
    scores = torch.tensor([[0.9, 0.8, 0.7, 0.1], [0.1, 0.8, 0.7, 0.9]])

    kept = distinct(boxes.expand(2, -1, -1), scores, 0.7)

    assert kept.tolist() == [[1, 0, 1, 1], [0, 1, 1, 1]]


def test_log_odds_are_those_of_the_probability_without_a_background_too_sure_to_tell() -> None:
    logits = torch.randn(1000, CLASSES + 1, generator=torch.Generator().manual_seed(0)) * 6
    logits[0] = torch.tensor([0.0, 60.0, -5.0, 3.0])  # 1 - p is below what float32 can tell from 0
    exact = logits.double().softmax(-1)[:, 1:]
    others = torch.eye(CLASSES + 1)[1:] > 0
    rest = logits[:, None].masked_fill(others, -torch.inf).double().logsumexp(-1)

    found = log_odds(logits)

    torch.testing.assert_close(found.sigmoid().double(), exact, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found.double(), logits[:, 1:].double() - rest, atol=1e-3, rtol=1e-4)


def test_anchors_lie_where_torchvision_puts_them() -> None:
    for name in DETECTORS:
        made, pictures = network(name)
        detector = made.detector
        with torch.no_grad():
            maps = list(detector.backbone(pictures).values())
        generator = (detector.rpn if name in ALL else detector).anchor_generator
        torch.testing.assert_close(made.starts, generator(listed(pictures), maps)[2])


@pytest.mark.parametrize("name", DETECTORS)
def test_where_only_shapes_are_wanted_there_are_as_many_boxes_to_start_from(name: str) -> None:
    real = models.architecture(name).build(channels=3, classes=2, size=[64, 96])

    with outlined():
        shape = models.architecture(name).build(channels=3, classes=2, size=[64, 96])

    assert shape.starts.shape == real.starts.shape
    assert shape.starts.device.type == "meta"


@pytest.mark.parametrize("name", DETECTORS)
def test_made_for_another_size_it_is_the_network_that_is_built_for_it(name: str) -> None:
    made, _ = network(name)
    smaller = (32, 64)
    built = models.architecture(name).build(channels=3, classes=CLASSES, size=list(smaller)).eval()
    built.load_state_dict(made.state_dict())
    pictures = torch.randn(2, 3, *smaller, generator=torch.Generator().manual_seed(2))

    with torch.no_grad(), pytest.raises((RuntimeError, ValueError)):
        made.candidates(pictures)  # never by boxes that were made for other pictures
    made.made_for(smaller)

    with torch.no_grad():
        for found, wanted in zip(made(pictures), built(pictures), strict=True):
            torch.testing.assert_close(found, wanted)
