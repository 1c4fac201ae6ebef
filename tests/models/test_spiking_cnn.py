"""models.spiking_cnn: spikes in every layer, surrogate gradients, sums that no order of adding can change."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from foveal.models import OverTime
from foveal.models._lif import run
from foveal.models.spiking_cnn import NEURON, STEPS, spiking_cnn


def made(size=12, classes=3):
    """Return a network that has seen a few batches, so that batch norm and weights are no round numbers."""
    torch.manual_seed(0)
    network = spiking_cnn(channels=1, classes=classes, size=size)
    for _ in range(5):
        network(torch.randn(16, 1, size, size))
    for parameter in network.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return network.eval()


def pictures(count=6, size=12):
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(1))


def test_all_that_layers_say_to_each_other_is_0_or_1():
    layers = made().spikes(pictures())

    assert [layer.shape[:2] for layer in layers] == [(STEPS, 6)] * 3
    for layer in layers:
        assert set(layer.unique().tolist()) == {0.0, 1.0}


def test_no_order_of_adding_changes_a_potential():
    """Filters and pictures are fixed-point numbers: float32 gives the very sums of exact arithmetic."""
    network, images = made(), pictures(1)
    rounded = torch.round(images * 64) / 64
    first = network.areas[0]
    filters, bias = (tensor.detach() for tensor in first.folded())

    current = F.conv2d(rounded, filters, bias, padding=1)

    exact = [[Fraction(float(v)) for v in row] for row in F.pad(rounded, (1, 1, 1, 1))[0, 0]]
    for y, x in ((0, 0), (3, 7), (11, 11)):
        for channel in range(4):
            total = Fraction(float(bias[channel])) + sum(
                Fraction(float(filters[channel, 0, i, j])) * exact[y + i][x + j]
                for i in range(3)
                for j in range(3)
            )
            assert Fraction(float(current[0, channel, y, x])) == total
    inputs = [rounded, *(layer.flatten(0, 1) for layer in network.spikes(images)[:-1])]
    for area, given in zip(network.areas, inputs, strict=True):
        filters, bias = (tensor.detach() for tensor in area.folded())
        how = {"stride": area.conv.stride, "padding": 1}
        ours, wide = (
            F.conv2d(given.to(t), filters.to(t), bias.to(t), **how) for t in (torch.float32, torch.float64)
        )
        assert torch.equal(ours.double(), wide)
        steps = [currents.expand(STEPS, *currents.shape) for currents in (ours, wide)]
        potentials, doubles = (run(currents, NEURON).potentials for currents in steps)
        assert torch.equal(potentials.double(), doubles)


def test_the_last_bits_of_a_picture_change_no_spike():
    network = made()
    images = torch.round(pictures() * 64) / 64
    for ours, theirs in zip(network.spikes(images), network.spikes(images * (1 + 1e-6) + 1e-5), strict=True):
        assert torch.equal(ours, theirs)


def test_folded_filters_are_batch_norm_behind_a_convolution_but_for_rounding():
    area = made().areas[1]
    spikes = (torch.rand(4, 16, 6, 6) < 0.3).float()

    with torch.no_grad():
        torch.testing.assert_close(area(spikes), area.norm(area.conv(spikes)), atol=0.1, rtol=0)
        assert not torch.equal(area(spikes), area.norm(area.conv(spikes)))


def test_two_calls_are_alike_and_no_image_feels_another():
    network, images = made(), pictures()
    with torch.no_grad():
        first = network(images)
        network(10 * pictures())

        assert torch.equal(network(images), first)
        torch.testing.assert_close(network(images[:1]), first[:1], atol=1e-6, rtol=1e-5)


def test_every_layer_has_a_gradient_though_forward_it_is_a_step():
    network = made().train()

    network(pictures(16)).square().sum().backward()

    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_logits_are_the_last_evidence():
    network, images = made(), pictures()

    with torch.no_grad():
        found = network.over_time(images)

        assert isinstance(network, OverTime)
        torch.testing.assert_close(found.evidence[:, -1], network(images), atol=1e-6, rtol=1e-5)
    assert found.evidence.shape == found.spikes.shape == (6, STEPS, 3)


def test_operations_are_counted_one_for_each_sum_that_a_spike_enters():
    network, images = made(), pictures(2)
    layers, found = network.spikes(images), network.over_time(images)

    counted = torch.zeros(2)
    for spikes, area in zip(layers[:-1], network.areas[1:], strict=True):
        for _, image, _, y, x in spikes.nonzero().tolist():
            places = [
                (oy, ox)
                for oy in range(-(-spikes.shape[3] // 2))
                for ox in range(-(-spikes.shape[4] // 2))
                if abs(2 * oy - y) <= 1 and abs(2 * ox - x) <= 1
            ]
            counted[image] += len(places) * area.conv.out_channels
    counted += 3 * layers[-1].sum((0, 2, 3, 4))
    assert torch.equal(found.operations[:, -1], counted)
    assert torch.equal(found.inner_spikes[:, -1], sum(layer.sum((0, 2, 3, 4)) for layer in layers))


@pytest.mark.parametrize(("size", "layers", "side"), [(8, 3, 2), (28, 3, 7), (64, 3, 8), (224, 5, 7)])
def test_large_pictures_are_halved_to_about_32_first(size, layers, side):
    network = spiking_cnn(channels=1, classes=2, size=size)

    assert len(network.areas) == layers
    assert network.head.in_features == 64 * side**2


def test_half_a_potential_is_left_exactly():
    assert NEURON.decay == 0.5
