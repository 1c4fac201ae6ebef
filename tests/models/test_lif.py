"""models._lif: closed forms, laws of the reset, and snntorch as an oracle."""

import math
from dataclasses import replace

import pytest
import snntorch
import torch

from foveal.models._lif import Lif, after, run, spiked

LIF = Lif(decay=0.8)


def currents(steps=30, neurons=40, seed=0):
    return torch.rand(steps, neurons, generator=torch.Generator().manual_seed(seed)) * 0.8


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("decay", [0.3, 0.5, 0.95])
def test_spikes_and_potentials_are_those_of_snntorch(reset, decay):
    given = currents()
    theirs = snntorch.Leaky(beta=decay, reset_mechanism=reset, reset_delay=False)
    potential = theirs.init_leaky()
    lif = Lif(decay=decay, reset=reset)

    found = run(given, lif)

    for step, current in enumerate(given):
        spike, potential = theirs(current, potential)
        assert torch.equal(found.spikes[step], spike)
        torch.testing.assert_close(after(found.potentials[step], found.spikes[step], lif), potential)
    assert found.spikes.sum() > 20


def test_between_resets_it_is_the_decayed_sum_of_what_arrived():
    given = currents(steps=12)

    found = run(given, replace(LIF, threshold=math.inf))

    weights = torch.tensor([[LIF.decay ** (n - i) if i <= n else 0.0 for i in range(12)] for n in range(12)])
    torch.testing.assert_close(found.potentials, weights @ given)
    assert not found.spikes.any(), "an infinite threshold is never reached"


def test_it_spikes_with_0_or_1_exactly_where_it_is_above_the_threshold():
    found = run(currents(), LIF)

    assert set(found.spikes.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(found.spikes, (found.potentials > 1).float())


@pytest.mark.parametrize(("reset", "left"), [("subtract", lambda v: v - 1), ("zero", lambda v: 0 * v)])
def test_after_a_spike_the_potential_falls_by_the_threshold_or_to_zero(reset, left):
    lif, given = replace(LIF, reset=reset), currents()

    found = run(given, lif)

    carried = found.potentials[1:] - given[1:]  # β times what was left of the step before
    before, spiking = found.potentials[:-1], found.spikes[:-1] > 0
    torch.testing.assert_close(carried[spiking], lif.decay * left(before[spiking]), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(carried[~spiking], lif.decay * before[~spiking], atol=1e-6, rtol=1e-5)


def test_potential_and_spikes_together_are_the_potential_without_resets():
    given = currents()
    found, free = run(given, LIF), run(given, replace(LIF, threshold=math.inf))

    taken = run(
        torch.cat([torch.zeros_like(given[:1]), LIF.decay * found.spikes[:-1]]),
        replace(LIF, threshold=math.inf),
    )

    torch.testing.assert_close(found.potentials + taken.potentials, free.potentials)
    assert (found.potentials - free.potentials).abs().max() > 1, "a reset is no trifle"


@pytest.mark.parametrize("refractory", [0, 1, 4])
@pytest.mark.parametrize("current", [0.21, 0.3, 0.7, 1.5])
def test_a_constant_current_spikes_at_the_rate_of_the_closed_form(current, refractory):
    """From 0, V(n) = I (1 - βⁿ) / (1 - β): it needs n = ⌈ln(1 - θ (1 - β) / I) / ln β⌉ steps to pass θ."""
    lif = replace(LIF, reset="zero", refractory=refractory)
    period = math.ceil(math.log(1 - (1 - lif.decay) / current) / math.log(lif.decay)) + refractory

    found = run(torch.full((400, 1), current), lif)

    assert abs(found.spikes.sum() - 400 / period) <= 1
    times = found.spikes[:, 0].nonzero()[:, 0]
    assert set(times.diff().tolist()) <= {period}


def test_below_the_rheobase_it_never_spikes():
    assert not run(torch.full((500, 1), 0.1999), LIF).spikes.any()  # θ (1 - β) = 0.2


def test_two_calls_are_alike_whatever_ran_between():
    given = currents()
    first = run(given, LIF)
    run(10 * currents(seed=1), LIF)
    again = run(given, LIF)

    assert torch.equal(first.potentials, again.potentials)
    assert torch.equal(first.spikes, again.spikes)


def test_a_neuron_does_not_feel_the_others_of_its_batch():
    given = currents()

    assert torch.equal(run(given[:, :1], LIF).potentials, run(given, LIF).potentials[:, :1])


def test_forward_it_is_the_step_and_only_backward_the_surrogate():
    above = torch.linspace(-2, 2, 41, requires_grad=True)

    found = spiked(above)
    found.sum().backward()

    assert torch.equal(found.detach(), torch.heaviside(above.detach(), torch.tensor(0.0)))
    torch.testing.assert_close(above.grad, 4 / (1 + 4 * above.detach().abs()) ** 2)
    assert (above.grad[:20] > 0).all(), "below the threshold it learns, too"


def test_a_current_that_led_to_no_spike_has_a_gradient():
    given = torch.full((5, 1), 0.1, requires_grad=True)

    found = run(given, LIF)
    found.spikes.sum().backward()

    assert not found.spikes.any()
    assert (given.grad > 0).all()


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_back_through_time_a_reset_counts_as_a_constant(reset):
    """∂V(n)/∂I(m) = βⁿ⁻ᵐ with resets by subtraction, and 0 beyond a reset to zero; nothing else."""
    given = currents(steps=10).requires_grad_()
    found = run(given, replace(LIF, reset=reset))

    found.spikes.sum().backward()

    slope = 4 / (1 + 4 * (found.potentials.detach() - 1).abs()) ** 2
    passes = LIF.decay * (torch.ones_like(slope) if reset == "subtract" else 1 - found.spikes.detach())
    backward, expected = torch.zeros_like(slope[0]), []
    for step in reversed(range(10)):
        backward = slope[step] + passes[step] * backward
        expected.insert(0, backward)
    torch.testing.assert_close(given.grad, torch.stack(expected))
