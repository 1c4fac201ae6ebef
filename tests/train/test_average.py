"""train.average: what ships is the average, not the last step and not the first."""

import torch
from torch import nn

from foveal.train.average import Average


def layer(value):
    module = nn.BatchNorm1d(1)
    nn.init.constant_(module.weight, value)
    return module


def test_early_on_it_is_the_plain_mean_of_all_steps():
    network = layer(0.0)
    average = Average(network, horizon=100)

    for step, value in enumerate([1.0, 2.0, 6.0], start=1):
        nn.init.constant_(network.weight, value)
        average.update(step)

    torch.testing.assert_close(average.weights()["weight"], torch.tensor([3.0]))


def test_later_on_old_steps_fade_with_the_horizon():
    network = layer(0.0)
    average = Average(network, horizon=4)
    for step in range(1, 400):
        average.update(step)
    nn.init.constant_(network.weight, 1.0)

    for step in range(400, 404):
        average.update(step)

    torch.testing.assert_close(average.weights()["weight"], torch.tensor([1 - 0.75**4]))


def test_statistics_are_averaged_and_counters_copied():
    network = layer(1.0)
    average = Average(network, horizon=1)
    network.running_mean.fill_(4.0)
    network.num_batches_tracked.fill_(7)

    average.update(1)

    weights = average.weights()
    assert weights["running_mean"] == 4
    assert weights["num_batches_tracked"] == 7


def test_the_result_is_a_copy():
    network = layer(1.0)
    average = Average(network, horizon=1)

    average.weights()["weight"].zero_()

    assert average.weights()["weight"] == 1
    assert network.weight == 1
