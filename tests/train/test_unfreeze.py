"""Unfreezing: what is frozen does not move, by a hair or a statistic, and its time follows from the share."""

from collections.abc import Callable

import pytest
import torch

from foveal.models._head import head_of
from foveal.models.cnn import cnn
from foveal.train.examples import Examples
from foveal.train.loop import fetch, fit
from foveal.train.objectives.supervised import Supervised
from foveal.train.objectives.unfreeze import Unfreeze, stages
from foveal.train.plan import Plan


@pytest.fixture
def slow(plan: Plan) -> Plan:
    changes = {"objective": "unfreeze", "optimizer": "adam", "learning_rate": 1e-3, "batch_size": 16}
    return plan.model_copy(update={**changes, "settings": {"until": 1.0, "lowest": 0.1}, "augmentation": {}})


@pytest.fixture
def objective(slow: Plan, supervised: Callable[[Plan], Supervised]) -> Unfreeze:
    given = supervised(slow)
    return Unfreeze.planned(slow, given.network, classes=3, preprocess=given.preprocess)


def test_stages_are_all_layers_with_weights_each_once_the_head_first(objective: Unfreeze) -> None:
    parts = stages(objective.network)
    found = [p for part in parts for module in part for p in module.parameters()]

    assert parts[0] == [head_of(objective.network)[1]]
    assert sorted(map(id, found)) == sorted(map(id, objective.network.parameters()))


def test_of_clips_the_head_is_all_that_reads_the_frames_and_the_backbone_has_stages() -> None:
    network = cnn(channels=3, classes=2, size=32, head="gru", backbone="resnet20", start="transfer")
    top, *below = stages(network)
    found = [p for part in (top, *below) for module in part for p in module.parameters()]

    assert top == [network.project, network.head]
    assert len(below) > 3
    assert sorted(map(id, found)) == sorted(map(id, network.parameters()))


def test_at_first_only_the_head_moves_and_no_statistic_drifts(
    objective: Unfreeze, slow: Plan, examples: Examples
) -> None:
    before = {name: t.clone() for name, t in objective.network.state_dict().items()}
    objective.train()
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)

    for _ in range(3):
        objective(fetch(examples, slow, 0)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    moved = {n for n, t in objective.network.state_dict().items() if not torch.equal(t, before[n])}
    assert moved == {"head.weight", "head.bias"}


def test_where_all_below_is_frozen_training_answers_as_evaluation_does(
    objective: Unfreeze, slow: Plan, examples: Examples
) -> None:
    images, _ = objective.views(fetch(examples, slow, 0))
    objective.train()
    with torch.no_grad():
        trained = objective.network(images)
        objective.eval()
        assert torch.equal(trained, objective.network(images))


def test_in_the_end_all_that_may_learn_has_moved(objective: Unfreeze, slow: Plan, examples: Examples) -> None:
    before = {name: p.clone() for name, p in objective.network.named_parameters()}
    fixed = {name for name, p in objective.network.named_parameters() if not p.requires_grad}

    fit(objective, examples, slow.model_copy(update={"settings": {"until": 0.3, "lowest": 0.1}}))

    same = {n for n, p in objective.network.named_parameters() if torch.equal(p, before[n])}
    assert same == fixed == {"whiten.weight"}


def test_rates_fall_with_depth(objective: Unfreeze, slow: Plan) -> None:
    rates = [group["rate"] for group in objective.parameter_groups(slow)]

    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 1
    assert rates[-1] >= 0.1 * (1 - 1e-9)
