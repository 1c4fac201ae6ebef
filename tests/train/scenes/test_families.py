"""Every detector learns from boxes by what its file names, and queries agree about who means what."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import scenes
from foveal import models
from foveal.calibrate.objects import found_of
from foveal.core import catalog
from foveal.data.preprocess import Preprocess
from foveal.metrics._found import Truth
from foveal.metrics.match import match
from foveal.metrics.mean_average_precision import mean_average_precision
from foveal.models import detectors
from foveal.models.detectors.query import Asked
from foveal.tasks.detect.learn import Selection, answers
from foveal.tasks.detect.masks import masks_of
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.loop import fetch, fit
from foveal.train.plan import Plan
from foveal.train.recipe import Recipe
from foveal.train.scenes.annotations import Boxes, OutlineTruth
from foveal.train.scenes.learning import teaching
from foveal.train.scenes.objectives.own_loss import own_loss
from foveal.train.scenes.objectives.queries import meant, query_loss
from foveal.train.scenes.planning import CHANGES

# All but those that test_points, test_outlines, test_rt_detr and test_proposals have.
TESTED = ("point", "outline", "panoptic", "rt_detr", "candidates")
OTHERS = [name for name in catalog.names(detectors) if name not in TESTED]
# SSD looks for objects on coarse maps: of larger pictures.
SIDES = {"ssdlite": 160}
LONGER = {"ssdlite": 300, "retinanet": 300}


def learning(name: str, *, steps: int, count: int = 16):
    """Return the objective of a family, its plan, pictures to learn from, and how to build it anew."""
    architecture, side = models.architecture(name), SIDES.get(name, 64)
    images, boxes, labels = scenes.squares(count, side=side)
    usual = architecture.settings

    def build():
        torch.manual_seed(0)
        return architecture.build(channels=3, classes=2, size=[side, side], **architecture.variants(side)[0])

    plan = Plan(
        model=name, arguments={"classes": 2}, images=count, steps=steps, batch_size=8,
        optimizer=usual.optimizer, learning_rate=usual.learning_rate, weight_decay=usual.weight_decay,
        warm_up_share=usual.warm_up_share, label_smoothing=0.0, ema_share=0.1, precision="fp32",
        augmentation={change: setting.default for change, setting in CHANGES.items()},
        objective=teaching(architecture).names[0], seed=0, threads=1, step_seconds=0.0,
    )  # fmt: skip
    preprocess = Preprocess(
        size=side, width=side, resize="letterbox", channels=3, mean=(0.45,) * 3, std=(0.2,) * 3
    )
    truth = Boxes.of(boxes, labels)
    if architecture.task == "instance":
        truth = OutlineTruth(truth, scenes.numbers_of(boxes, side))
    made = teaching(architecture)(build(), truth, preprocess=preprocess, plan=plan)
    return made, plan, Examples(images, np.zeros(count, np.int64), np.arange(count)), build, preprocess


@pytest.mark.parametrize("name", OTHERS)
def test_one_step_teaches_every_weight_and_the_same_step_is_the_same(name: str) -> None:
    made, plan, examples, _, _ = learning(name, steps=10)
    made.train()

    losses = []
    for _ in range(2):
        torch.manual_seed(5)  # as the loop does: torchvision draws which boxes it learns from
        made.zero_grad()
        loss = made(fetch(examples, plan, 0)).loss
        loss.backward()
        losses.append(float(loss.detach()))

    assert 0 < losses[0] < 200
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert [part for part, weight in made.named_parameters() if weight.grad is None] == []
    moved = [id(weight) for group in made.parameter_groups(plan) for weight in group["params"]]
    assert sorted(moved) == sorted(id(weight) for weight in made.parameters())


@pytest.mark.parametrize("name", OTHERS)
def test_pictures_with_nothing_on_them_can_be_learned_from(name: str) -> None:
    made, plan, examples, _, _ = learning(name, steps=10)
    made.truth = Boxes(made.truth.boxes, made.truth.labels, made.truth.weights * 0, made.truth.numbers)

    loss = made(fetch(examples, plan, 0)).loss

    assert bool(loss.isfinite())
    loss.backward()


@pytest.mark.families
@pytest.mark.parametrize("name", OTHERS)
def test_squares_are_found_after_some_hundred_steps(name: str) -> None:
    steps = LONGER.get(name, 150)
    made, plan, examples, build, preprocess = learning(name, steps=steps, count=48)

    fitted = fit(made, examples, plan)

    network = build().eval()
    network.load_state_dict(fitted.weights)
    made = Recognizer(network, name, {}, preprocess, scenes.CLASSES, models.architecture(name).task)
    images, boxes, labels = scenes.squares(30, side=preprocess.size, seed=9)
    alone = plan.objective in teaching(models.architecture(name)).alone
    selection = Selection(
        objects=50, overlap=None if alone else 0.6
    )  # which drops no doubles: there are none
    found = found_of(answers(made, images, selection))
    truths = [Truth(own, told, np.zeros(len(own), bool)) for own, told in zip(boxes, labels, strict=True)]
    assert mean_average_precision(match(found, truths, classes=2, ious=[0.5])).mean > 0.75


@pytest.mark.families
def test_two_stages_learn_a_hole_that_the_box_has_not() -> None:
    images, boxes, masks = scenes.frames(24)
    _, plan, examples, build, preprocess = learning("mask_rcnn", steps=150, count=24)
    plan = plan.model_copy(update={"augmentation": dict.fromkeys(CHANGES, 0.0)})
    truth = OutlineTruth(Boxes.of(boxes, [np.zeros(1, np.int64)] * 24), masks.astype(np.uint16))
    taught = teaching(models.architecture("mask_rcnn"))
    fitted = fit(
        taught(build(), truth, preprocess=preprocess, plan=plan), replace(examples, images=images), plan
    )
    network = build().eval()
    network.load_state_dict(fitted.weights)
    recognizer = Recognizer(network, "mask_rcnn", {}, preprocess, scenes.CLASSES, "instance")
    images, _, masks = scenes.frames(12, seed=5)

    found = answers(recognizer, images, Selection(objects=1))

    ious = []
    for one, box, wanted in zip(found.masks, found.boxes, masks, strict=True):
        seen = masks_of(one, box, wanted.shape, preprocess)[0].mask(*wanted.shape)
        ious.append((seen & wanted).sum() / (seen | wanted).sum())
    assert np.mean(ious) > 0.85  # the box has 0.75


def asked(seed: int = 0, queries: int = 9) -> tuple[Asked, Boxes, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    corners = torch.rand(2, queries + 4, 2, generator=draw) * 40
    boxes = torch.cat([corners, corners + 5 + torch.rand(2, queries + 4, 2, generator=draw) * 20], dim=2)
    truth = Boxes(
        boxes[:, queries:],
        torch.randint(0, 3, (2, 4), generator=draw),
        torch.tensor([[1.0, 1, 1, 1], [1, 0, 1, 0]]),
        torch.arange(4).expand(2, -1),
    )
    answered = Asked(boxes[:, :queries], torch.randn(2, queries, 3, generator=draw))
    return answered, truth, torch.tensor([64.0, 64.0, 64.0, 64.0])


def test_each_object_is_meant_by_one_query_and_in_all_they_fit_best() -> None:
    answered, truth, picture = asked()

    rows, queries, objects = meant(answered, truth, picture)

    assert rows.tolist() == [0, 0, 0, 0, 1, 1]
    assert sorted(objects[:4].tolist()) == [0, 1, 2, 3]
    assert sorted(objects[4:].tolist()) == [0, 2]
    assert len({(row, query) for row, query in zip(rows.tolist(), queries.tolist(), strict=True)}) == 6
    again = meant(Asked(answered.boxes.flip(1), answered.logits.flip(1)), truth, picture)
    swapped = {(r, 8 - q, o) for r, q, o in zip(*(part.tolist() for part in again), strict=True)}
    assert swapped == set(zip(rows.tolist(), queries.tolist(), objects.tolist(), strict=True))


def test_a_query_that_is_right_costs_nothing_and_a_double_does() -> None:
    _, truth, _ = asked()
    one = Boxes(truth.boxes[:1, :1], truth.labels[:1, :1], truth.weights[:1, :1], truth.numbers[:1, :1])
    sure = torch.full((1, 2, 3), -20.0)
    sure[0, 0, int(one.labels[0, 0])] = 20.0
    right = Asked(one.boxes.repeat(1, 2, 1), sure)
    double = sure.clone()
    double[0, 1] = sure[0, 0]

    assert float(query_loss(right, one, (64, 64))) < 1e-3
    assert float(query_loss(Asked(right.boxes, double), one, (64, 64))) > 10


def test_whoever_diverges_gets_a_loss_that_says_so() -> None:
    answered, truth, _ = asked()

    nowhere = answered._replace(boxes=answered.boxes * torch.nan)
    nothing = answered._replace(logits=answered.logits * torch.nan)
    for broken in (nowhere, nothing):
        assert not bool(query_loss(broken, truth, (64, 64)).isfinite())


@pytest.mark.parametrize("name", ["query", "faster_rcnn", "mask_rcnn", "point"])
def test_as_many_objects_as_are_wanted_are_looked_at(name: str) -> None:
    task = models.card(name).task
    usual, many = (Recipe(model=name, task=task, objects=count).network for count in (None, 700))

    assert (usual, list(many.values())) == ({}, [] if name == "point" else [700])
    network = models.architecture(name).build(channels=3, classes=2, size=[64, 64], **many)
    assert {getattr(network, part) for part in ("queries", "proposals") if hasattr(network, part)} <= {700}
    assert Recipe(model=name, task=task, objects=5).network == {}  # few are looked for among as many as ever


def test_a_loss_of_its_own_sees_nothing_of_what_is_ignored_but_what_lies_over_it() -> None:
    class Seeing(torch.nn.Module):
        def loss(self, images, boxes, labels):
            self.images, self.boxes = images, boxes
            return images.sum()

    made, images = Seeing(), torch.ones(2, 3, 16, 24)
    boxes = np.array([[4, 4, 8, 8], [2, 2, 12, 12], [20, 0, 24, 3]], np.float32)
    truth = Boxes.of(
        [boxes, boxes[:1]],
        [np.zeros(3, int), np.zeros(1, int)],
        ignored=[np.array([False, True, True]), np.array([False])],
    )

    _, plan, _, _, preprocess = learning("fcos", steps=10)

    own_loss(made, truth, preprocess=preprocess, plan=plan).loss_of(images, truth)

    expected = torch.ones(16, 24)
    expected[2:12, 2:12] = expected[0:3, 20:24] = 0
    expected[4:8, 4:8] = 1
    assert made.images[0].eq(expected).all()
    assert made.images[1].eq(1).all()
    assert images.eq(1).all()
    assert [one.tolist() for one in made.boxes] == [boxes[:1].tolist()] * 2


def test_queries_inside_of_what_is_ignored_may_say_its_class() -> None:
    answered, _, _ = asked()
    far = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).numpy()
    whole = torch.tensor([[0.0, 0.0, 64.0, 64.0]]).numpy()
    labels = torch.zeros(1, dtype=torch.int64).numpy()
    logits = torch.full_like(answered.logits, 3.0).requires_grad_()
    told = Asked(answered.boxes, logits)
    none = Boxes.of([far[:0]] * 2, [labels[:0]] * 2)
    aside = Boxes.of([whole] * 2, [labels] * 2, ignored=[labels == 0] * 2)

    alone, left = (torch.autograd.grad(query_loss(told, one, (64, 64)), logits)[0] for one in (none, aside))

    assert bool((alone > 0).all())
    assert bool((left[..., 0] == 0).all())
    torch.testing.assert_close(left[..., 1:], alone[..., 1:])


def test_more_objects_than_queries_leave_some_out() -> None:
    answered, truth, picture = asked()

    rows, queries, _ = meant(Asked(answered.boxes[:, :2], answered.logits[:, :2]), truth, picture)

    assert rows.tolist() == [0, 0, 1, 1]
    assert queries.tolist() == [0, 1, 0, 1]
