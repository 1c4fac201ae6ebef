"""The angular margin: closed forms, the normalized softmax at margin 0, and gradients that end."""

import math

import pytest
import torch
import torch.nn.functional as F

from foveal.models import architecture
from foveal.models._head import head_of, without_head
from foveal.train import chosen
from foveal.train.loop import fit
from foveal.train.objective import Batch
from foveal.train.starting import start


@pytest.fixture
def make(examples, supervised, plan):
    def objective(precision="fp32", **settings):
        named = {"objective": "arcface", "settings": chosen.settings_of("arcface", settings)}
        planned = plan.model_copy(update={**named, "precision": precision})
        preprocess = supervised(planned).preprocess
        return planned, start(planned, architecture(planned.model), examples, preprocess, classes=3)

    return objective


def test_the_own_angle_is_larger_by_the_margin(make) -> None:
    _, objective = make(margin=0.4)
    angles = torch.linspace(0.001, math.pi - 0.41, 50)
    cosines = torch.stack([angles.cos(), torch.full_like(angles, 0.3)], dim=1)

    changed = objective.with_margin(cosines, torch.zeros(50, dtype=torch.int64))

    torch.testing.assert_close(changed[:, 0], (angles + 0.4).cos(), atol=1e-5, rtol=1e-5)
    assert torch.equal(changed[:, 1], cosines[:, 1])


def test_it_falls_with_the_angle_all_the_way_to_the_opposite(make) -> None:
    _, objective = make(margin=0.5)
    cosines = torch.linspace(-1, 1, 400)[:, None]

    changed = objective.with_margin(cosines, torch.zeros(400, dtype=torch.int64))[:, 0]

    assert (changed.diff() > 0).all()
    assert (changed <= cosines[:, 0] + 1e-6).all()


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_gradients_are_finite_at_the_ends(make, value) -> None:
    _, objective = make()
    cosines = torch.full((4, 3), value, requires_grad=True)

    objective.with_margin(cosines, torch.arange(4) % 3).sum().backward()

    assert cosines.grad.isfinite().all()


def test_without_a_margin_it_is_the_normalized_softmax(make, examples) -> None:
    _, objective = make(margin=0.0, scale=12)
    objective.eval()  # batch norm by what it has seen: the same for both ways to ask
    images, targets = objective.views(everything(examples))

    losses = objective(everything(examples))

    features = without_head(objective.network)(images)
    cosines = F.normalize(features, dim=1) @ F.normalize(head_of(objective.network)[1].weight, dim=1).T
    torch.testing.assert_close(losses.loss, F.cross_entropy(12 * cosines, targets))
    _, stricter = make(margin=0.5, scale=12)
    stricter.load_state_dict(objective.state_dict())
    assert stricter.eval()(everything(examples)).loss > losses.loss


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns_and_what_ships_names_the_class_of_the_largest_cosine(make, examples, precision) -> None:
    plan, objective = make(precision)
    fitted = fit(objective, examples, plan)
    network = objective.deployable().eval()
    network.load_state_dict(fitted.weights)

    _, head = head_of(network)
    images, _ = objective.views(everything(examples))
    with torch.no_grad():
        features, answers = without_head(network)(images), network(images)
    torch.testing.assert_close(head.weight.norm(dim=1), torch.ones(3), atol=0.2, rtol=0)
    assert not head.bias.any()
    cosines = F.normalize(features, dim=1) @ F.normalize(head.weight, dim=1).T
    assert (answers.argmax(1) == cosines.argmax(1)).float().mean() > 0.95
    assert all(math.isfinite(row["loss"]) for row in fitted.history)
    assert fitted.history[-1]["loss"] < fitted.history[0]["loss"]


def everything(examples) -> Batch:
    images, labels = torch.from_numpy(examples.images), torch.from_numpy(examples.labels)
    rows = torch.arange(len(labels))
    return Batch(images, labels, rows, torch.zeros_like(rows), 0.0, torch.Generator().manual_seed(0))


def test_cosines_are_computed_in_float32_whatever_the_precision_is(make) -> None:
    _, objective = make()
    features, classes = torch.randn(5, 64), torch.randn(3, 64)

    with torch.autocast("cpu", torch.bfloat16):
        found = objective.cosines(features, classes)

    assert found.dtype == torch.float32
    torch.testing.assert_close(found, F.cosine_similarity(features[:, None], classes[None], dim=2))
