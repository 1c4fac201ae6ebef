"""train.episodic: what each few-shot method promises, and that second order is of second order."""

import signal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from foveal.core import catalog
from foveal.core.errors import RecipeError, UnknownNameError
from foveal.train import episodic
from foveal.train.episodic import _method
from foveal.train.episodic._episodes import divided, episodes
from foveal.train.episodic._normalization import (
    EpisodeNorm,
    learn_statistics,
    statistics_of,
    with_episode_norms,
)
from foveal.train.episodic.prototypes import distances
from foveal.train.examples import Examples
from foveal.train.loop import fit
from foveal.train.setting import Setting

METHODS = catalog.names(episodic)
ADAPTING = ["anil", "maml"]
# Second derivatives take their time.
TRAINED = [pytest.param(name, marks=pytest.mark.slow) if name == "maml" else name for name in METHODS]


def task(way=4, shot=1, query=3, tasks=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(tasks, way, 1, 16, 16, generator=generator, dtype=dtype)
    noise = [torch.randn(tasks, way * n, 1, 16, 16, generator=generator, dtype=dtype) for n in (shot, query)]
    support = kinds.repeat_interleave(shot, 1) + 0.5 * noise[0]
    asked = kinds.repeat_interleave(query, 1) + 0.5 * noise[1]
    labels, truth = (torch.arange(way).repeat_interleave(n).repeat(tasks, 1) for n in (shot, query))
    return support, labels, asked, truth


def trained(objective, examples, plan):
    """Return the objective with what it learned, in eval mode."""
    fitted = fit(objective, examples, plan)
    objective.deployable().load_state_dict(fitted.weights)
    shown = objective.views(episodes(examples, plan, 0))
    learn_statistics(objective.backbone, iter([shown]))
    return objective


def accuracy(objective, begun, examples, plan, *, steps=None):
    """Return the share of right answers in 60 tasks of some pictures, without changes to them."""
    settings = {**plan.settings, "tasks": 60}
    plan = plan.model_copy(update={"settings": settings, "augmentation": {}, "seed": 7})
    asked = begun(plan)
    asked.load_state_dict(objective.state_dict())
    asked.eval()
    batch = episodes(examples, plan, 0)
    support, query = divided(asked.views(batch), asked.shape)
    labels, truth = divided(batch.labels, asked.shape)
    with torch.no_grad():
        found = asked.answers(support, labels, query, way=asked.shape.way, steps=steps).argmax(2)
    return float((found == truth).float().mean())


@pytest.mark.parametrize("name", METHODS)
def test_every_file_says_what_it_is_and_what_can_be_set(name):
    usual, kind = _method.usual(name), _method.kind(name)

    assert kind.__name__.lower() == name
    assert usual.steps > 0
    assert usual.name in {_method.label(name, {}), _method.label(name, {"first_order": 0})}
    assert all(
        isinstance(s, Setting) and s.allows(s.default)
        for s in vars(_method._module(name))["SETTINGS"].values()
    )


def test_what_is_of_first_order_is_called_so_and_unknown_words_are_refused():
    assert _method.label("maml", {"first_order": 1.0}) == "first-order MAML"
    with pytest.raises(UnknownNameError, match="maml"):
        _method.kind("mamml")
    with pytest.raises(RecipeError, match="no setting 'inner_steps'"):
        _method.settings_of("prototypes", {"inner_steps": 2})
    with pytest.raises(RecipeError, match="from 1 to 20"):
        _method.settings_of("maml", {"inner_steps": 2.5})


@pytest.mark.parametrize("name", METHODS)
def test_what_is_said_of_a_query_does_not_depend_on_other_queries_unless_it_is_declared(name, planned, begun):
    objective = begun(planned(name))
    support, labels, asked, _ = task()
    learn_statistics(objective.backbone, iter([support.flatten(0, 1)]))

    with torch.no_grad():
        together = objective.answers(support, labels, asked, way=4)
        alone = objective.answers(support, labels, asked[:, 5:6], way=4)
        changed = objective.answers(support, labels, torch.cat([asked[:, :1], asked[:, 1:] * 9], 1), way=4)
        helped = [
            objective.answers(support, labels, some, way=4, transductive=True)[:, 0]
            for some in (asked, asked[:, :2])
        ]

    torch.testing.assert_close(together[:, 5:6], alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together[:, :1], changed[:, :1], atol=1e-4, rtol=1e-4)
    assert (helped[0] - helped[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", METHODS)
def test_permuting_the_labels_of_a_task_permutes_its_answers(name, planned, begun):
    objective = begun(planned(name)).eval()
    support, labels, asked, _ = task(shot=2)
    order = torch.tensor([2, 0, 3, 1])

    with torch.no_grad():
        plain = objective.answers(support, labels, asked, way=4)
        permuted = objective.answers(support, order[labels], asked, way=4)
        shuffled = torch.randperm(8, generator=torch.Generator().manual_seed(0))
        reordered = objective.answers(support[:, shuffled], labels[:, shuffled], asked, way=4)

    torch.testing.assert_close(permuted[..., order], plain, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(reordered, plain, atol=1e-4, rtol=1e-4)
    assert (permuted - plain).abs().max() > 1e-3


@pytest.mark.parametrize("name", TRAINED)
def test_classes_that_were_never_seen_are_told_apart_after_training(name, planned, begun, learned, unseen):
    plan = planned(name, steps=60, tasks=4, way=5).model_copy(update={"augmentation": {}})
    objective = trained(begun(plan), learned, plan)

    after = accuracy(objective, begun, unseen, plan)
    assert after > 0.8
    if objective.steps:
        assert accuracy(objective, begun, unseen, plan, steps=0) == pytest.approx(0.2, abs=0.05), (
            "one in five"
        )


@pytest.mark.parametrize("name", TRAINED)
def test_without_anything_in_the_labels_it_stays_at_chance(name, planned, begun, learned):
    rng = np.random.default_rng(0)
    nothing = Examples(learned.images, rng.permutation(learned.labels), learned.indices)
    plan = planned(name, steps=30, tasks=4, way=5)

    objective = trained(begun(plan), nothing, plan)

    other = Examples(learned.images, np.random.default_rng(1).permutation(learned.labels), learned.indices)
    assert accuracy(objective, begun, other, plan) == pytest.approx(0.2, abs=0.08)


def test_the_loss_of_prototypes_is_that_of_the_paper(planned, begun, learned):
    plan = planned("prototypes", shot=2, query=3).model_copy(update={"augmentation": {}})
    objective = begun(plan)
    batch = episodes(learned, plan, 0)
    support, asked = (part.flatten(0, 1) for part in divided(objective.views(batch), objective.shape))
    features = objective.backbone.train()(
        torch.cat(divided(objective.views(batch), objective.shape), dim=1).flatten(0, 1)
    )
    assert len(support) + len(asked) == len(features)
    expected, each = 0.0, features.detach().double().reshape(2, 20, -1).numpy()
    for z in each:  # equations 1 and 2, class by class and query by query
        means = [z[[2 * k, 2 * k + 1]].mean(0) for k in range(4)]
        for q in range(12):
            near = np.exp([-(((z[8 + q] - mean) ** 2).sum()) for mean in means])
            expected -= np.log(near[q // 3] / near.sum()) / 24

    assert float(objective(batch).loss.detach()) == pytest.approx(expected, rel=1e-3)


def test_distances_are_squared_and_euclidean():
    known, asked = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [10.0, 0.0]]]), torch.tensor([[[1.0, 3.0]]])

    found = distances(known, torch.tensor([[0, 0, 1]]), asked, way=2)

    assert found.tolist() == [[[-9.0, -90.0]]]


def slopes(planned, begun, **settings):
    """Return an objective in float64 with a head, the gradient of its loss, and the loss as a function."""
    objective = begun(planned("maml", inner_steps=2, inner_rate=0.3, **settings)).double()
    with torch.no_grad():
        objective.head.weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    support, labels, asked, truth = task(dtype=torch.float64)

    def loss():
        answers = objective.answers(support, labels, asked, way=4)
        return F.cross_entropy(answers.flatten(0, 1), truth.flatten())

    parameters = list(objective.deployable().parameters())
    return parameters, torch.autograd.grad(loss(), parameters), loss


def test_the_gradient_of_maml_is_that_of_its_loss_by_finite_differences_and_of_first_order_it_is_not(
    planned, begun
):
    parameters, gradient, loss = slopes(planned, begun)
    _, first, _ = slopes(planned, begun, first_order=1.0)
    generator = torch.Generator().manual_seed(2)

    for _ in range(4):
        way = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in parameters]
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                torch._foreach_add_(parameters, way, alpha=sign * 1e-6)
                ends.append(float(loss()))
                torch._foreach_add_(parameters, way, alpha=-sign * 1e-6)
        measured = (ends[0] - ends[1]) / 2e-6
        along = [
            float(sum((g * w).sum() for g, w in zip(some, way, strict=True))) for some in (gradient, first)
        ]
        assert along[0] == pytest.approx(measured, rel=1e-4, abs=1e-7)
        assert abs(along[1] - measured) > 1e-3 * abs(measured)


@pytest.mark.parametrize("name", ["anil", "maml"])
def test_of_first_order_a_step_is_a_constant_whatever_its_loss_rests_on(name, planned, begun):
    objective = begun(planned(name, first_order=1.0, inner_steps=2))
    with torch.no_grad():
        objective.head.weight.normal_(generator=torch.Generator().manual_seed(3))
    support, labels, _, _ = task(tasks=1)
    start = {f"backbone.{n}": p for n, p in objective.backbone.named_parameters()}
    start |= {"head.weight": objective.head.weight.expand(4, -1), "head.bias": torch.zeros(4)}

    with statistics_of(objective.backbone, len(support[0])):
        after = objective.adapted(start, support[0], labels[0], steps=2)
    reached = torch.autograd.grad(after["head.weight"].sum(), list(objective.parameters()), allow_unused=True)

    by_name = dict(zip([n for n, _ in objective.named_parameters()], reached, strict=True))
    assert not torch.equal(after["head.weight"], start["head.weight"])
    assert [n for n, slope in by_name.items() if slope is not None] == ["head.weight"]
    torch.testing.assert_close(by_name["head.weight"], torch.full_like(objective.head.weight, 4.0))


@pytest.mark.parametrize(("name", "moved"), [("anil", False), ("maml", True)])
def test_anil_adapts_the_head_alone_and_maml_all(name, moved, planned, begun):
    objective = begun(planned(name, inner_steps=2))
    support, labels, _, _ = task(tasks=1)
    start = {f"backbone.{n}": p for n, p in objective.backbone.named_parameters()}
    start |= {"head.weight": torch.zeros(4, objective.head.in_features), "head.bias": torch.zeros(4)}

    with statistics_of(objective.backbone, 4):
        own = objective.adapted(start, support[0], labels[0], steps=2)

    assert not torch.equal(own["head.weight"], start["head.weight"])
    filters = [name for name in start if name.startswith("backbone.") and start[name].ndim == 4]
    assert {bool((own[name] != start[name]).any()) for name in filters} == {moved}


@pytest.mark.parametrize("name", ADAPTING)
def test_a_run_of_inner_steps_changes_nothing_that_lasts(name, planned, begun):
    objective = begun(planned(name))
    before = {key: value.clone() for key, value in objective.state_dict().items()}
    support, labels, asked, _ = task()

    objective.answers(support, labels, asked, way=4, steps=3)

    assert all(torch.equal(value, before[key]) for key, value in objective.state_dict().items())


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("at", [1, 5])
def test_a_training_that_was_stopped_ends_in_the_same_bits(name, at, planned, begun, learned, tmp_path):
    plan = planned(name)
    whole = fit(begun(plan), learned, plan)

    with pytest.raises(KeyboardInterrupt):
        fit(begun(plan), learned, plan, checkpoints=tmp_path, progress=_signal_at(at))
    again = fit(begun(plan), learned, plan, checkpoints=tmp_path)

    assert again.resumed_from == at
    assert whole.weights.keys() == again.weights.keys()
    assert all(torch.equal(whole.weights[key], again.weights[key]) for key in whole.weights)
    assert whole.history == again.history


def _signal_at(step):
    def progress(stage, done, total, note=""):
        if done == step:
            signal.raise_signal(signal.SIGINT)

    return progress


def test_a_norm_that_is_asked_for_nothing_is_a_batch_norm_and_otherwise_one_of_the_first_pictures():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 3, 5, 5, generator=generator)
    plain = nn.Sequential(nn.BatchNorm2d(3))
    nn.init.normal_(plain[0].weight)
    network = with_episode_norms(nn.Sequential(nn.BatchNorm2d(3)))
    network.load_state_dict(plain.state_dict())

    assert isinstance(network[0], EpisodeNorm)
    assert torch.equal(network(images), plain(images))
    with statistics_of(network, 4):
        found = network(images)
    whole = (images - images[:4].mean((0, 2, 3), keepdim=True)) / (
        images[:4].var((0, 2, 3), keepdim=True, correction=0) + 1e-5
    ).sqrt()
    torch.testing.assert_close(found, whole * plain[0].weight[:, None, None])
    assert torch.equal(network[0].running_mean, plain[0].running_mean), "it left them alone"


def test_statistics_are_the_means_over_the_batches_that_were_shown():
    network = nn.Sequential(nn.BatchNorm2d(2))
    batches = [torch.randn(4, 2, 3, 3) + i for i in range(3)]

    learn_statistics(network, iter(batches))

    torch.testing.assert_close(
        network[0].running_mean, torch.stack([b.mean((0, 2, 3)) for b in batches]).mean(0)
    )
    assert not network.training
    assert network[0].momentum == 0.1
