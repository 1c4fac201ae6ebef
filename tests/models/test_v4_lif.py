"""models.v4_lif: one spike a neuron, potentials as written down, logits without steps."""

import math

import pytest
import torch

from foveal.models import OverTime
from foveal.models._lif import Lif
from foveal.models.v4_lif import _LOGIT, NEURONS, OUTPUT, STEPS, course, spike_times, v4_lif


def made(size=28, channels=1, code="latency", classes=4):
    torch.manual_seed(0)
    network = v4_lif(channels=channels, classes=classes, size=size, code=code).eval()
    with torch.no_grad():
        network.synapses.weight.normal_(0, 0.6)  # so that output neurons spike
    return network


def pictures(count=6, size=28, channels=1):
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [14, 15, 27, 28, 32, 45, 46, 64, 90, 100, 224])
def test_v4_has_3136_neurons_at_every_size(size):
    network = v4_lif(channels=3, classes=2, size=size, code="latency").eval()

    assert network.features(torch.zeros(1, 3, size, size)).shape == (1, NEURONS)
    assert NEURONS == 3136


def test_strong_features_spike_early_weak_ones_late_and_the_rest_never():
    features = torch.tensor([-1.0, 0.0, 0.1, 1.0, 5.0])

    times = spike_times(features)

    assert times[:2].tolist() == [math.inf, math.inf]
    assert (times[2:].diff() < 0).all()
    assert (times[2:] > 0).all()
    assert (times[2:] < STEPS).all()


def test_a_spike_so_early_that_its_time_rounds_to_0_counts_in_time_as_in_the_logits():
    times = spike_times(torch.tensor([[100.0, 1.0]]))
    assert times[0, 0] == 0
    weights = torch.tensor([[0.5, -0.2], [0.1, 0.3]])

    found = course(times, weights, Lif(OUTPUT.decay, threshold=math.inf))

    assert found.inner_spikes[0].tolist()[0] == 1
    assert found.inner_spikes[0].tolist()[-1] == 2
    left = 1 - torch.exp(-(STEPS - times[0]) / OUTPUT.tau)
    torch.testing.assert_close(found.evidence[0, -1], OUTPUT.tau / STEPS * weights @ left)


@pytest.mark.parametrize("threshold", [math.inf, 1.0])
def test_between_resets_the_potential_is_the_written_sum_over_arrived_spikes(threshold):
    """V_k(t) = Σ w_ki exp(-(t - t_i) / τ) [t ≥ t_i] until the first output spike."""
    generator = torch.Generator().manual_seed(0)
    times = spike_times(torch.randn(3, 50, generator=generator))
    weights = 0.3 * torch.randn(4, 50, generator=generator)

    found = course(times, weights, Lif(OUTPUT.decay, threshold=threshold))

    t = torch.arange(1, STEPS + 1)[:, None, None]
    kernel = torch.where(t >= times, torch.exp(-(t - times) / OUTPUT.tau), 0.0)
    written = torch.einsum("tni,ki->ntk", kernel, weights)
    earlier = found.spikes.cumsum(1) - found.spikes  # before this step
    untouched = earlier == 0
    torch.testing.assert_close(found.potentials[untouched], written[untouched])
    assert threshold == math.inf or (~untouched).any()
    assert threshold < math.inf or not found.spikes.any()


def test_the_evidence_is_the_mean_of_that_potential_over_time():
    times, weights = spike_times(torch.tensor([[2.0, 0.3, -1.0]])), torch.tensor([[1.0, -0.5, 3.0]])

    found = course(times, weights).evidence[0, -1, 0]

    t = torch.linspace(0, STEPS, 200_001, dtype=torch.float64)[:, None]
    kernel = torch.where(t >= times.double(), torch.exp(-(t - times.double()) / OUTPUT.tau), 0.0)
    by_sum = torch.trapezoid(kernel @ weights.double().T[:, 0], t[:, 0]) / STEPS
    assert abs(float(found) - float(by_sum)) < 1e-4


@pytest.mark.parametrize("code", ["latency", "current"])
def test_the_logits_are_the_last_evidence_but_for_a_factor(code):
    network, images = made(code=code), pictures()

    with torch.no_grad():
        logits, evidence = network(images), network.over_time(images).evidence[:, -1]

    ratio = (logits * evidence).sum() / (evidence * evidence).sum()
    grown = (1 - OUTPUT.decay**STEPS) / (1 - OUTPUT.decay)  # of a potential under a constant current of 1
    assert float(ratio) == pytest.approx(_LOGIT if code == "latency" else _LOGIT / grown, rel=1e-3)
    torch.testing.assert_close(logits, ratio * evidence, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("code", ["latency", "current"])
def test_two_calls_are_alike_and_no_image_feels_another(code):
    network, images = made(code=code), pictures()
    first = network.over_time(images)
    network.over_time(10 * pictures())
    again, alone = network.over_time(images), network.over_time(images[:1])

    assert torch.equal(again.spikes, first.spikes)
    assert torch.equal(again.potentials, first.potentials)
    torch.testing.assert_close(alone.potentials, first.potentials[:1], atol=1e-5, rtol=1e-5)
    assert isinstance(network, OverTime)


def test_a_neuron_spikes_at_most_once_and_each_spike_costs_a_weight_per_class():
    network, images = made(), pictures()

    found = network.over_time(images)

    spiking = (network.features(images) > 0).sum(1)
    assert torch.equal(found.inner_spikes[:, -1], spiking)
    assert torch.equal(found.operations[:, -1], 4 * spiking)
    assert (found.inner_spikes.diff(dim=1) >= 0).all()
    assert found.multiply_adds == 4 * NEURONS


def test_a_spike_that_slips_over_the_end_of_the_window_moves_no_logit_but_the_final_potential_jumps():
    """Why the mean is shipped: rounding in another engine must not change an answer."""
    weights = torch.tensor([[1.0]])
    before, behind = (course(torch.tensor([[STEPS + e]]), weights) for e in (-1e-5, 1e-5))

    assert abs(float(before.evidence[0, -1, 0] - behind.evidence[0, -1, 0])) < 1e-5
    assert float(before.potentials[0, -1, 0] - behind.potentials[0, -1, 0]) > 0.99


def test_the_gradient_goes_through_the_spike_times_and_is_that_of_finite_differences():
    network = made().double()
    features = torch.tensor([[-0.5, 0.2, 1.0, 3.0]], dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(network.effects, (features,))
    network.effects(features).sum().backward()
    # dM/dx = (dM/dt) (dt/dx) with dt/dx = -1.5 t: an earlier spike counts for more.
    times = spike_times(features.detach())
    expected = torch.where(
        features > 0, torch.exp((times - STEPS) / OUTPUT.tau) / OUTPUT.tau * 1.5 * times, torch.zeros(())
    )
    torch.testing.assert_close(features.grad, expected.detach())


def test_constant_currents_order_the_classes_as_a_linear_layer_at_every_step():
    network, images = made(code="current"), pictures(20)

    with torch.no_grad():
        found, linear = network.over_time(images), network(images)

    assert (found.evidence.argmax(2) == linear.argmax(1)[:, None]).all()
    assert found.spikes.any()
    assert not found.inner_spikes.any()


def test_threshold_reset_and_refractory_time_change_when_neurons_spike_and_no_logit():
    images, plain = pictures(), made()
    first, logits = plain.over_time(images), plain(images)
    assert first.spikes.sum() > 0

    for given in ({"threshold": 0.5}, {"reset": "zero"}, {"refractory": 3}):
        other = v4_lif(channels=1, classes=4, size=28, code="latency", **given).eval()
        other.load_state_dict(plain.state_dict())
        assert torch.equal(other(images), logits), given
        assert not torch.equal(other.over_time(images).potentials, first.potentials), given
    rested = other.over_time(images).spikes
    for neuron in rested.permute(0, 2, 1).flatten(0, 1):
        assert (neuron.nonzero().flatten().diff() > 3).all()
