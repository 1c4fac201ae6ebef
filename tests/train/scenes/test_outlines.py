"""train.scenes.outlines: what a mask is made of, and that it is learned."""

import numpy as np
import pytest
import torch

import scenes
from foveal.data.outline import Runs
from foveal.data.preprocess import Preprocess
from foveal.data.scene import Objects
from foveal.data.truths import numbers_at_size
from foveal.models.detectors.outline import FINE, PROTOTYPES, basis_of, kernels_of, outline
from foveal.models.detectors.panoptic import panoptic
from foveal.tasks.detect.learn import Selection, answers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.loop import fetch, fit
from foveal.train.plan import Plan
from foveal.train.scenes.annotations import Boxes, OutlineTruth
from foveal.train.scenes.objectives.outlines import Outlines, shares
from foveal.train.scenes.planning import CHANGES

SIDE = 64
PREPROCESS = Preprocess(
    size=SIDE, width=SIDE, resize="letterbox", channels=3, mean=(0.45,) * 3, std=(0.2,) * 3
)
SMALL = {"widths": [16, 16, 32, 32], "depths": [0, 0, 0, 0], "tower": 16}


def objective(count: int = 16, *, areas: bool = False, **changes: float):
    images, boxes, labels = scenes.squares(count, side=SIDE)
    strengths = {name: setting.default for name, setting in CHANGES.items()} | changes
    torch.manual_seed(0)
    build = panoptic if areas else outline
    truth = OutlineTruth(
        Boxes.of(boxes, [one + 1 for one in labels] if areas else labels),
        scenes.numbers_of(boxes, SIDE),
        scenes.maps_of(boxes, labels, SIDE) if areas else None,
    )
    network = build(channels=3, classes=3 if areas else 2, size=[SIDE, SIDE], **SMALL)
    made = Outlines(network, truth, preprocess=PREPROCESS, plan=plan(20, count, **strengths))
    return made, Examples(images, np.zeros(count, np.int64), np.arange(count))


def plan(steps: int, images: int, **strengths: float) -> Plan:
    return Plan(
        model="outline",
        arguments={"classes": 3},
        images=images,
        steps=steps,
        batch_size=8,
        learning_rate=0.1,
        weight_decay=0.0,
        label_smoothing=0.0,
        ema_share=0.1,
        augmentation=strengths,
        precision="fp32",
        objective="aligned",
        seed=0,
        threads=1,
        step_seconds=0.0,
        warm_up_share=0.05,
    )


def test_before_anything_is_learned_a_mask_is_the_ellipse_that_fills_its_box() -> None:
    boxes = torch.tensor([[8.0, 16.0, 40.0, 56.0]])
    kernels = kernels_of(boxes, torch.zeros(1, 3 + PROTOTYPES), (SIDE, SIDE))
    basis = basis_of(torch.zeros(1, 2 + PROTOTYPES, SIDE // FINE, SIDE // FINE))

    inside = (kernels @ basis[0].flatten(1)).reshape(SIDE // FINE, SIDE // FINE) > 0

    middles = (torch.arange(SIDE // FINE) + 0.5) * FINE
    across, down = (middles[None] - 24) / 16, (middles[:, None] - 36) / 20
    assert torch.equal(inside, across**2 + down**2 < 1)


def test_the_logit_of_a_pixel_is_what_the_module_says_it_is() -> None:
    draw = torch.Generator().manual_seed(3)
    boxes = torch.tensor([[3.0, 5.0, 33.0, 47.0], [30.0, 2.0, 60.0, 12.0]])
    shape = torch.randn(2, 3 + PROTOTYPES, generator=draw)
    pixels = torch.randn(1, 2 + PROTOTYPES, 16, 16, generator=draw)

    found = (kernels_of(boxes, shape, (SIDE, SIDE)) @ basis_of(pixels)[0].flatten(1)).reshape(2, 16, 16)

    for row, (left, top, right, bottom) in enumerate(boxes.tolist()):
        for y, x in ((0, 0), (7, 3), (15, 15)):
            named_x = (x + 0.5) * 4 + 32 * float(pixels[0, 0, y, x])
            named_y = (y + 0.5) * 4 + 32 * float(pixels[0, 1, y, x])
            away_x = (named_x - (left + right) / 2) / ((right - left) / 2)
            away_y = (named_y - (top + bottom) / 2) / ((bottom - top) / 2)
            s_x, s_y = shape[row, :2].clamp(-3, 3).exp().tolist()
            wanted = 4 * (1 + float(shape[row, 2]) - s_x * away_x**2 - s_y * away_y**2)
            wanted += float((shape[row, 3:] * pixels[0, 2:, y, x]).sum())
            assert float(found[row, y, x]) == pytest.approx(wanted, rel=1e-3, abs=1e-2)


def test_shares_are_of_the_middle_of_each_place() -> None:
    numbers = torch.zeros(1, 8, 8, dtype=torch.int64)
    numbers[0, :2, :] = 3
    numbers[0, 4:, 4:] = 5

    found = shares(numbers, torch.tensor([[3, 5, 9]]))

    assert found[0, 0].tolist() == [[0.5, 0.5], [0.0, 0.0]]
    assert found[0, 1].tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert not found[0, 2].any()


@pytest.mark.parametrize("areas", [False, True])
def test_moved_and_put_together_an_object_keeps_its_pixels(areas: bool) -> None:
    made, examples = objective(areas=areas, mosaic=1.0, turn=1.0, upside_down=1.0)
    batch = fetch(examples, plan(20, len(examples)), 0)

    images, truth, numbers, classes = made.layers(batch, made.maps, made.regions)

    assert images.shape[1] == 3
    seen = 0
    for row in range(len(images)):
        own = truth.weights[row] > 0
        for box, number, label in zip(
            truth.boxes[row][own].tolist(),
            truth.numbers[row][own].tolist(),
            truth.labels[row][own].tolist(),
            strict=True,
        ):
            y, x = torch.nonzero(numbers[row] == number, as_tuple=True)
            assert len(x), "an object that counts has pixels"
            assert x.min() + 1 >= box[0] - 1
            assert x.max() <= box[2] + 1
            assert y.min() + 1 >= box[1] - 1
            assert y.max() <= box[3] + 1
            seen += 1
            if classes is not None:
                assert (classes[row][y, x] == label).float().mean() > 0.9
    assert seen > 10


def test_where_objects_overlap_the_smaller_is_in_front() -> None:
    masks = [np.zeros((10, 10), bool), np.zeros((10, 10), bool)]
    masks[0][2:4, 2:4] = True
    masks[1][1:8, 1:8] = True
    objects = Objects(
        np.zeros((2, 4), np.float32),
        np.zeros(2, np.int64),
        np.zeros(2, bool),
        tuple(Runs.of(mask) for mask in masks),
    )
    square = PREPROCESS.model_copy(update={"size": 32, "width": 64})

    found = numbers_at_size(objects, (10, 10), square)

    assert found.shape == (32, 64)
    assert not found[:, 32:].any()
    assert found[9, 9] == 1  # 2.9 of the picture
    assert found[20, 20] == 2
    assert (found == 1).sum() == pytest.approx(4 * 3.2**2, rel=0.2)


def test_a_hole_is_learned_that_the_ellipse_has_not() -> None:
    images, boxes, masks = scenes.frames(24)
    torch.manual_seed(0)
    made = Outlines(
        outline(channels=3, classes=1, size=[SIDE, SIDE], **SMALL),
        OutlineTruth(Boxes.of(boxes, [np.zeros(1, np.int64)] * 24), masks.astype(np.uint16)),
        preprocess=PREPROCESS,
        plan=plan(120, 24, **dict.fromkeys(CHANGES, 0.0)),
    )
    fitted = fit(made, Examples(images, np.zeros(24, np.int64), np.arange(24)), plan(120, 24))
    made.network.load_state_dict(fitted.weights)
    recognizer = Recognizer(made.network.eval(), "outline", {}, PREPROCESS, ("frame",), "instance")
    images, _, masks = scenes.frames(12, seed=5)

    found = answers(recognizer, images, Selection(objects=1))

    assert found.masks is not None
    wanted = masks.reshape(12, 16, 4, 16, 4).mean(axis=(2, 4)) > 0.5
    seen = found.masks[:, 0] >= 128
    ious = (seen & wanted).sum(axis=(1, 2)) / (seen | wanted).sum(axis=(1, 2))
    assert ious.mean() > 0.65  # the ellipse that fills its box has 0.54
