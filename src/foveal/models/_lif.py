"""Leaky integrate-and-fire neurons, step by step.

    V(n) = β V(n - 1) + I(n),  β = exp(-1 / τ);  a spike where V(n) > θ, and then V falls by θ or to 0

Source: Gerstner et al., "Neuronal Dynamics", 2014, §1.3, between two steps solved exactly; the surrogate
gradient: Neftci, Mostafa & Zenke, "Surrogate Gradient Learning in Spiking Neural Networks", 2019.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

_STEEPNESS = 4.0  # of the surrogate: at a distance of θ / 4 from the threshold a quarter of the slope is left


@dataclass(frozen=True)
class Lif:
    """What kind of neuron it is.

    Attributes:
        decay: β, what is left of a potential after one step, in [0, 1]; 1: it does not leak.
        threshold: θ above 0; infinity: it never spikes.
        reset: After a spike the potential falls by θ (`subtract`: what was above it is kept) or to `zero`.
        refractory: For so many steps after a spike it takes no input and does not spike.
    """

    decay: float
    threshold: float = 1.0
    reset: Literal["subtract", "zero"] = "subtract"
    refractory: int = 0

    @property
    def tau(self) -> float:
        """τ, the time in which a potential falls to 1/e, in steps; for a β between 0 and 1."""
        return -1 / math.log(self.decay)


@dataclass(frozen=True)
class Run:
    """What neurons did, step by step; both tensors have the shape of the currents.

    Attributes:
        potentials: V(n) before the reset of that step.
        spikes: 0 or 1.
    """

    potentials: Tensor
    spikes: Tensor


def run(currents: Tensor, lif: Lif) -> Run:
    """Return what neurons do that start from rest; nothing is carried over from one call to the next.

    Args:
        currents: I(n), float (T, …): the first axis is time.
        lif: The neurons.
    """
    potential = torch.zeros_like(currents[0])
    asleep = torch.zeros_like(potential)  # steps for which each neuron still takes no input
    potentials, spikes = [], []
    for current in currents.unbind(0):
        if lif.refractory:
            awake = (asleep <= 0).to(current.dtype)
            potential = lif.decay * potential + awake * current
            spike = awake * spiked(potential - lif.threshold)
            asleep = torch.where(spike > 0, torch.full_like(asleep, lif.refractory), asleep - 1)
        else:
            potential = lif.decay * potential + current
            spike = spiked(potential - lif.threshold)
        potentials.append(potential)
        spikes.append(spike)
        potential = after(potential, spike, lif)
    return Run(torch.stack(potentials), torch.stack(spikes))


def after(potential: Tensor, spike: Tensor, lif: Lif) -> Tensor:
    """Return the potential after the reset; the spike counts as a constant there, as it does in snntorch."""
    spike = spike.detach()
    if lif.reset == "zero":
        return potential * (1 - spike)
    # θ may be infinite, and 0 · ∞ is not a number.
    return potential - spike * lif.threshold if math.isfinite(lif.threshold) else potential


def spiked(above: Tensor) -> Tensor:
    """Return 1 where a potential is above its threshold, else 0: Heaviside's step, with a gradient.

    Forward it is the step itself. Only backward it is taken for s x / (1 + s |x|), whose slope is
    s / (1 + s |x|)², so that a neuron that did not spike learns, too (fast sigmoid; Zenke & Ganguli, 2018).

    Args:
        above: Potential less threshold.
    """
    found: Tensor = _Step.apply(above) if above.requires_grad else (above > 0).to(above.dtype)
    return found


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, above: Tensor) -> Tensor:
        context.save_for_backward(above)
        return (above > 0).to(above.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (above,) = context.saved_tensors
        found: Tensor = gradients[0] * _STEEPNESS / (1 + _STEEPNESS * above.abs()) ** 2
        return found
