"""train.scenes.objectives.points: each test is a mistake that gave somebody an mAP of zero."""

import math

import numpy as np
import pytest
import torch

import scenes
from foveal.calibrate.objects import found_of
from foveal.data.preprocess import Preprocess
from foveal.metrics._found import Truth
from foveal.metrics.match import match
from foveal.metrics.mean_average_precision import mean_average_precision
from foveal.models.detectors.point import PRIOR, point
from foveal.tasks.classify.learn import normalize
from foveal.tasks.detect.learn import Selection, answers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.loop import fetch, fit
from foveal.train.plan import Plan
from foveal.train.scenes.annotations import Boxes, numbers_of
from foveal.train.scenes.objectives.points import Points
from foveal.train.scenes.planning import CHANGES

SIDE = 64
PREPROCESS = Preprocess(
    size=SIDE, width=SIDE, resize="letterbox", channels=3, mean=(0.45,) * 3, std=(0.2,) * 3
)
SMALL = {"widths": [16, 16, 32, 32], "depths": [0, 0, 0, 0], "tower": 16}


def network(classes: int = 2, seed: int = 0):
    torch.manual_seed(seed)
    return point(channels=3, classes=classes, size=[SIDE, SIDE], **SMALL)


def plan(steps: int, images: int, **changes) -> Plan:
    told = {
        "model": "point",
        "arguments": {},
        "images": images,
        "steps": steps,
        "batch_size": 8,
        "learning_rate": 0.1,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "ema_share": 0.1,
        "augmentation": {name: setting.default for name, setting in CHANGES.items()},
        "precision": "fp32",
        "objective": "aligned",
        "seed": 0,
        "threads": 1,
        "step_seconds": 0.0,
        "warm_up_share": 0.05,
    }
    return Plan(**{**told, **changes})


def objective(assigner: str = "aligned", count: int = 16, **changes) -> tuple[Points, Examples]:
    images, boxes, labels = scenes.squares(count, side=SIDE)
    strengths = {name: setting.default for name, setting in CHANGES.items()} | changes
    wanted = plan(10, count, augmentation=strengths, objective=assigner)
    made = Points(network(), Boxes.of(boxes, labels), preprocess=PREPROCESS, plan=wanted)
    return made, Examples(images, np.zeros(count, np.int64), np.arange(count))


def answered(network, images):
    """Return class logits and sides of all places."""
    maps = network.maps(images)
    return network.what(maps), network.sides(network.where(maps))


@pytest.mark.parametrize("classes", [1, 2, 80])
def test_before_anything_is_learned_an_object_is_improbable_everywhere(classes: int) -> None:
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        logits, sides = answered(network(classes).eval(), images)

    assert logits.shape == (2, classes, SIDE // 8, SIDE // 8)
    probabilities = logits.sigmoid()
    assert float(probabilities.mean()) == pytest.approx(PRIOR, rel=0.3)
    assert float(probabilities.max()) < 5 * PRIOR
    assert float(sides.min()) > 0


@pytest.mark.parametrize("assigner", ["aligned", "gaussian"])
def test_the_first_loss_is_one_of_a_few_objects_not_of_all_places(assigner: str) -> None:
    made, examples = objective(assigner)

    loss = float(made(fetch(examples, plan(10, len(examples)), 0)).loss.detach())

    assert 0.1 < loss < 20


def test_twice_the_same_pictures_give_the_same_gradient() -> None:
    """The loss is per object: a larger batch is no larger step."""
    made, _ = objective()
    made.eval()  # statistics of a batch would differ
    images, boxes, labels = scenes.squares(4, side=SIDE)
    truth = Boxes.of(boxes, labels)
    seen = normalize(torch.from_numpy(images), PREPROCESS)
    twice = torch.arange(4).repeat(2)

    with torch.no_grad():
        once = made.loss(*answered(made.network, seen), truth, made.assigner)
        doubled = made.loss(*answered(made.network, seen[twice]), truth.rows(twice), made.assigner)

    assert float(doubled) == pytest.approx(float(once), rel=1e-4)


@pytest.mark.parametrize("assigner", ["aligned", "gaussian", "one_to_one"])
def test_inside_of_what_is_ignored_nothing_is_asked_about_its_class(assigner: str) -> None:
    made, _ = objective(assigner)
    boxes = np.array([[8, 8, 24, 24], [30, 4, 62, 60]], np.float32)
    labels = np.array([0, 1])
    learned = Boxes.of([boxes[:1]], [labels[:1]])
    beside = Boxes.of([boxes], [labels], ignored=[np.array([False, True])])
    logits = torch.zeros(1, 2, 8, 8, requires_grad=True)
    sides = torch.full((1, 4, 8, 8), 8.0)

    losses = [made.loss(logits, sides, one, made.assigner) for one in (learned, beside)]
    without, gradient = (torch.autograd.grad(loss, logits)[0][0] for loss in losses)

    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[1:7, 4:] = True  # middles from 12 to 52, and from 36 to 60
    assert bool((gradient[1][inside] == 0).all())
    assert bool((without[1][inside] > 0).all())
    torch.testing.assert_close(gradient[1][~inside], without[1][~inside])
    torch.testing.assert_close(gradient[0], without[0])


def test_an_object_inside_of_what_is_ignored_is_learned() -> None:
    made, _ = objective()
    boxes, labels = np.array([[8, 8, 24, 24], [0, 0, 64, 64]], np.float32), np.array([0, 0])
    truth = Boxes.of([boxes], [labels], ignored=[np.array([False, True])])
    logits = torch.zeros(1, 2, 8, 8, requires_grad=True)

    loss = made.loss(logits, torch.full((1, 4, 8, 8), 8.0), truth, made.assigner)

    moved = torch.autograd.grad(loss, logits)[0][0, 0] != 0
    assert moved.sum() == moved[1:3, 1:3].sum() == 4


def test_areas_that_overflow_half_precision_do_not_matter() -> None:
    made, _ = objective()
    large = Boxes(
        torch.tensor([[[0.0, 0.0, 4000.0, 4000.0]]]),
        torch.zeros(1, 1, dtype=torch.int64),
        torch.ones(1, 1),
        numbers_of(1, 1),
    )
    logits, sides = torch.zeros(1, 2, 8, 8), torch.full((1, 4, 8, 8), 3000.0)

    with torch.autocast("cpu", torch.bfloat16):
        made.network(torch.zeros(1, 3, SIDE, SIDE))
        with torch.autocast("cpu", enabled=False):
            loss = made.loss(logits, sides, large, made.assigner)

    assert loss.dtype == torch.float32
    assert bool(loss.isfinite())


def test_the_step_under_bf16_computes_its_loss_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    made, examples = objective()
    seen = []
    monkeypatch.setattr(
        made, "judged", lambda logits, sides, *_: (seen.append((logits, sides)) or sides.sum(), None)
    )

    with torch.autocast("cpu", torch.bfloat16):
        made(fetch(examples, plan(10, len(examples)), 0))

    [(logits, sides)] = seen
    assert logits.dtype == sides.dtype == torch.float32


def test_pictures_are_not_put_together_any_more_in_the_last_third() -> None:
    made, examples = objective(mosaic=1.0, flip=0.0, zoom=0.0, stretch=0.0, color=0.0)
    whole = plan(90, len(examples))

    early, _ = made.views(fetch(examples, whole, 3))
    batch = fetch(examples, whole, 80)
    late, _ = made.views(batch)

    torch.testing.assert_close(late, normalize(batch.images, PREPROCESS), atol=1e-4, rtol=0)
    plain = normalize(fetch(examples, whole, 3).images, PREPROCESS)
    assert not torch.allclose(early, plain, atol=1e-3)


def test_layers_that_answer_are_not_orthogonalized() -> None:
    made, _ = objective()

    groups = made.parameter_groups(plan(10, 16))

    answering = {id(p) for layer in made.network.outputs for p in layer.parameters()}
    own = [group for group in groups if {id(p) for p in group["params"]} & answering]
    assert {group["kind"] for group in own} == {"adam"}
    assert {id(p) for group in own for p in group["params"]} == answering
    everything = [id(p) for group in groups for p in group["params"]]
    assert sorted(everything) == sorted(id(p) for p in made.network.parameters())


@pytest.mark.parametrize("assigner", ["aligned", "gaussian", "one_to_one"])
def test_squares_are_found_after_a_hundred_steps(assigner: str) -> None:
    made, examples = objective(assigner, count=48, mosaic=0.3)

    fitted = fit(made, examples, plan(150, len(examples)))

    net = network().eval()
    net.load_state_dict(fitted.weights)
    recognizer = Recognizer(net, "point", {}, PREPROCESS, scenes.CLASSES, "detect")
    images, boxes, labels = scenes.squares(30, side=SIDE, seed=9)
    overlap = None if assigner == "one_to_one" else 0.6  # which drops no doubles: there must be none
    found = found_of(answers(recognizer, images, Selection(objects=50, overlap=overlap)))
    truths = [Truth(own, told, np.zeros(len(own), bool)) for own, told in zip(boxes, labels, strict=True)]
    assert mean_average_precision(match(found, truths, classes=2, ious=[0.5])).mean > 0.8


def test_no_object_is_lost_where_others_before_it_are_gone() -> None:
    boxes = torch.arange(24).float().view(1, 6, 4).expand(2, -1, -1)
    truth = Boxes(
        boxes,
        torch.arange(6).expand(2, -1),
        torch.tensor([[0.0, 1, 0, 1, 0, 1], [1, 0, 0, 0, 0, 0]]),
        numbers_of(2, 6),
    )

    found = truth.rows(torch.tensor([1, 0]))

    assert found.boxes.shape == (2, 3, 4)
    assert found.labels[1].tolist() == [1, 3, 5]
    assert found.weights.tolist() == [[1, 0, 0], [1, 1, 1]]


def test_what_is_ignored_goes_where_its_picture_goes() -> None:
    boxes, labels = np.array([[0, 0, 8, 8], [8, 8, 16, 16]], np.float32), np.array([1, 0])
    truth = Boxes.of([boxes[:0], boxes], [labels[:0], labels], ignored=[np.array([], bool), labels == 0])

    found = truth.rows(torch.tensor([1, 0]))

    assert found.weights.tolist() == [[1, -1], [0, 0]]
    assert found.shares(2, places=1000) == pytest.approx([1e-4, 5 / 2000])


def test_what_learns_beside_never_ships() -> None:
    made, _ = objective("one_to_one")

    assert made.beside is not None
    assert set(made.deployable().state_dict()) == set(network().state_dict())
    moved = [id(p) for group in made.parameter_groups(plan(10, 16)) for p in group["params"]]
    assert sorted(moved) == sorted(id(p) for p in made.parameters())


def test_the_bias_of_the_prior_is_that_of_the_paper() -> None:
    assert -math.log((1 - PRIOR) / PRIOR) == pytest.approx(-4.6, abs=0.01)
