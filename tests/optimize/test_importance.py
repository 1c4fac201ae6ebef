"""optimize.importance: numbers that rank, are comparable, and agree with what they approximate."""

import numpy as np
import pytest
import torch
from torch import nn

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.optimize import importance
from foveal.optimize.channels import groups
from foveal.optimize.importance.bn_scale import bn_scale
from foveal.optimize.importance.fisher import fisher
from foveal.optimize.importance.group_norm import group_norm
from foveal.optimize.importance.taylor import taylor
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

PREPROCESS = Preprocess(size=8, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.2))
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (70, 8, 8, 3), dtype=np.uint8)
EXAMPLES = Examples(IMAGES, RNG.integers(0, 3, 70), np.arange(70))


@pytest.fixture
def recognizer(randomized):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 36, 3),
    )
    return Recognizer(randomized(network, 8), "test:network", {}, PREPROCESS, ("a", "b", "c"))


def found(recognizer):
    return groups(recognizer.network, channels=3, size=8)


@pytest.mark.parametrize("name", catalog.names(importance))
def test_numbers_are_comparable_repeatable_and_leave_the_network_alone(recognizer, name):
    measure = catalog.find(importance, name)
    before = {key: value.clone() for key, value in recognizer.network.state_dict().items()}

    scores = measure(recognizer, found(recognizer), EXAMPLES)

    assert [(one.dtype, one.shape) for one in scores] == [(np.float64, (6,)), (np.float64, (4,))]
    for one, again in zip(scores, measure(recognizer, found(recognizer), EXAMPLES), strict=True):
        assert (one >= 0).all()
        assert one.mean() == pytest.approx(1)
        assert one.std() > 0.01
        assert np.array_equal(one, again)
    assert all(torch.equal(value, before[key]) for key, value in recognizer.network.state_dict().items())
    assert all(p.grad is None for p in recognizer.network.parameters())
    assert not recognizer.network.training


@pytest.mark.parametrize("name", catalog.names(importance))
def test_a_unit_that_does_nothing_counts_nothing(recognizer, name):
    with torch.no_grad():
        recognizer.network[0].weight[2] = 0
        recognizer.network[1].weight[2] = 0
        recognizer.network[1].bias[2] = 0
        recognizer.network[3].weight[:, 2] = 0

    (first, _) = catalog.find(importance, name)(recognizer, found(recognizer), EXAMPLES)

    assert first[2] == 0
    assert np.delete(first, 2).min() > 0


def test_the_length_is_that_of_all_weights(recognizer):
    (_, second) = group_norm(recognizer, found(recognizer))
    net = recognizer.network

    expected = [
        torch.cat([net[3].weight[i].ravel(), net[4].weight[i : i + 1], net[4].bias[i : i + 1]])
        .square()
        .sum()
        .add(net[7].weight[:, 36 * i : 36 * (i + 1)].square().sum())
        .sqrt()
        .item()
        for i in range(4)
    ]
    np.testing.assert_allclose(second, expected / np.mean(expected), rtol=1e-5)


def test_the_scale_is_that_of_the_norm(recognizer):
    (first, _) = bn_scale(recognizer, found(recognizer))

    expected = recognizer.network[1].weight.detach().abs().numpy()
    np.testing.assert_allclose(first, expected / expected.mean(), rtol=1e-6)
    recognizer.network[1] = nn.Identity()
    with pytest.raises(UsageError, match="no batch norm") as refused:
        bn_scale(recognizer, found(recognizer))
    assert refused.value.code == "no_norm"


def masked_losses(recognizer, step):
    """Return per picture and unit of the first group the loss, with its mask moved by `step`, float64."""
    net = recognizer.network.double()
    images = learn.normalize(torch.from_numpy(IMAGES), PREPROCESS).double()
    with torch.no_grad():
        features = net[:3](images)
        for unit in range(6):
            mask = torch.ones(1, 6, 1, 1, dtype=torch.float64)
            mask[:, unit] += step
            logits = net[3:](features * mask)
            yield nn.functional.cross_entropy(
                logits, torch.from_numpy(EXAMPLES.labels), reduction="none"
            ).numpy()


def test_fisher_is_the_squared_slope_of_each_pictures_loss(recognizer):
    (first, _) = fisher(recognizer, found(recognizer), EXAMPLES)

    up, down = (np.array(list(masked_losses(recognizer, step))) for step in (1e-5, -1e-5))
    expected = np.square((up - down) / 2e-5).sum(axis=1)
    np.testing.assert_allclose(first, expected / expected.mean(), rtol=1e-3)


def test_taylor_predicts_what_a_little_less_of_all_weights_does(recognizer):
    few = Examples(IMAGES, EXAMPLES.labels, np.arange(50))  # one batch
    (first, _) = taylor(recognizer, found(recognizer), few)
    net = recognizer.network.double()
    images = learn.normalize(torch.from_numpy(IMAGES[:50]), PREPROCESS).double()
    expected = []
    for unit in range(6):
        losses = []
        for step in (1e-5, -1e-5):
            parts = [net[0].weight[unit], net[1].weight[unit], net[1].bias[unit], net[3].weight[:, unit]]
            before = [part.detach().clone() for part in parts]
            with torch.no_grad():
                for part in parts:
                    part *= 1 + step
                losses.append(
                    nn.functional.cross_entropy(net(images), torch.from_numpy(EXAMPLES.labels[:50])).item()
                )
                for part, value in zip(parts, before, strict=True):
                    part.copy_(value)
        expected.append(abs(losses[0] - losses[1]))
    np.testing.assert_allclose(first, np.array(expected) / np.mean(expected), rtol=1e-3)


@pytest.mark.parametrize("name", ["taylor", "fisher"])
def test_a_picture_without_a_label_gets_the_networks_answer(recognizer, name):
    measure = catalog.find(importance, name)
    own = recognizer.logits(IMAGES).argmax(axis=1)

    unlabeled = measure(recognizer, found(recognizer), Examples(IMAGES, np.full(70, -1), np.arange(70)))

    labeled = measure(recognizer, found(recognizer), Examples(IMAGES, own, np.arange(70)))
    assert all(np.array_equal(a, b) for a, b in zip(unlabeled, labeled, strict=True))
    for nothing in (None, Examples(IMAGES, own, np.arange(0))):
        with pytest.raises(UsageError, match="no picture"):
            measure(recognizer, found(recognizer), nothing)
