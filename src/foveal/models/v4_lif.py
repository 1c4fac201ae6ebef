"""V4 LIF: a visual pathway whose last layer speaks in spikes, read by leaky integrate-and-fire neurons.

    (N, C, H, W) → [halving]* → V1 → V2 → V4: 64 × 7 × 7 = 3,136 neurons → K LIF neurons → (N, K)

V1, V2 and V4 are convolutions, the first two with pooling. A V4 neuron spikes at most once, the earlier the
stronger its feature x: at t = T exp(-1.5 x) in a window of T steps, never where x ≤ 0. Such a latency code
is that of Thorpe, Delorme & Van Rullen, "Spike-based strategies for rapid processing", 2001; how x becomes a
time is ours. Each spike moves an output neuron by its weight, and that leaks away:

    V_k(t) = Σ_i w_ki exp(-(t - t_i) / τ) [t ≥ t_i]   between resets; above θ it spikes, and V falls by θ

This is the neuron of Gütig & Sompolinsky, "The tempotron", 2006, with one time constant. The logits are the
mean of V over the window as it would be without resets, in closed form: with M = (1 - exp(-(T - t_i) / τ)),

    (1 / T) ∫ V_k dt = (τ / T) Σ_i w_ki M_i

Without resets, because a reset by subtraction takes exactly θ exp(-(t - s) / τ) per output spike at s away:
potential and spikes together are V without resets. And the mean, because it is a continuous function of all
weights: a spike that slips over the end of the window has no effect there. The final and the largest
potential jump by w_ki at that moment, so rounding in another engine would change answers. Learning is plain
gradient descent through the spike times, dM/dt_i included, without a surrogate: nothing here is a step.

`v4_lif_current` is the control without spikes in V4: the features x > 0 are constant currents into the same
output neurons. Their sum is what a linear layer computes, and so are its logits; what its output neurons add
is time. docs/spiking.md has what was measured.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.models import Card, Course, Settings, _lif
from foveal.models._lif import Lif

CARD = Card(
    family="v4_lif",
    kind="network",
    source="foveal; after Thorpe et al. 2001 and Gütig & Sompolinsky 2006, doi:10.1038/nn1643",
    summary="spiking recognition: 3,136 neurons that spike once, and an accuracy that grows with time",
    idea="Features of a convolutional pathway become spikes, a strong one early; leaky neurons add up what "
    "arrived, so there is an answer before all has.",
    smallest_size=14,
)
# The output neurons' weights move fast: of many spikes each adds little.
SETTINGS = Settings(batch_size=250, head_rate=16.0)
MEMBERS = {"v4_lif": {"code": "latency"}, "v4_lif_current": {"code": "current"}}

STEPS = 16  # T, the window
_SIDE, _CHANNELS = 7, 64  # of the map of V4
NEURONS = _CHANNELS * _SIDE**2
OUTPUT = Lif(decay=math.exp(-1 / 8))  # τ is half the window
_SLOW = 8  # keeps the first logits small; the synapses learn fast
# A logit of this size is a mean potential, or a current, of θ: a lower one decides earlier and less surely.
_LOGIT = 3.0
_HASTE = 1.5  # a stronger feature by 1 / _HASTE spikes at 1/e of the time
_MOMENTUM = 0.3  # of batch-norm statistics: runs are short


class V4Lif(nn.Module):
    """See the module; built by `v4_lif`."""

    def __init__(self, *, channels: int, classes: int, size: int, code: str, output: Lif = OUTPUT) -> None:
        super().__init__()
        self.code, self.output = code, output
        halvings = max(0, round(math.log2(size / 32)))
        stem: list[nn.Module] = []
        inputs, side = channels, size
        for index in range(halvings):
            outputs = min(32, 16 * 2**index)
            stem.append(_area(inputs, outputs, stride=2))
            inputs, side = outputs, (side + 1) // 2
        self.stem = nn.Sequential(*stem)
        self.v1 = nn.Sequential(_area(inputs, 32), nn.MaxPool2d(2))
        side //= 2
        stride = side // _SIDE
        self.v2 = nn.Sequential(_area(32, 64), nn.MaxPool2d(side - (_SIDE - 1) * stride, stride))
        self.v4 = nn.Sequential(
            nn.Conv2d(64, _CHANNELS, 3, padding=1, bias=False), nn.BatchNorm2d(_CHANNELS, momentum=_MOMENTUM)
        )
        self.synapses = nn.Linear(NEURONS, classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) for normalized images (N, C, H, W)."""
        logits: Tensor = self.synapses(self.effects(self.features(images))) / _SLOW
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Return how strong the feature of each V4 neuron is, x, (N, 3136)."""
        features: Tensor = self.v4(self.v2(self.v1(self.stem(images)))).flatten(1)
        return features

    def effects(self, features: Tensor) -> Tensor:
        """Return what each V4 neuron adds per unit of weight to the mean potential, from 0 on, (N, 3136)."""
        if self.code == "current":
            return torch.relu(features)
        left = 1 - torch.exp(-_HASTE * torch.relu(features))  # of the window after the spike, as a share
        return 1 - torch.exp(-STEPS / self.output.tau * left)

    def weights(self) -> Tensor:
        """Return the weights in units of θ: w_ki, or what a feature of 1 adds to a current, (K, 3136)."""
        share = 1.0 if self.code == "current" else self.output.tau / STEPS  # of w in the mean potential
        return self.synapses.weight / (_SLOW * _LOGIT * share)

    @torch.no_grad()
    def over_time(self, images: Tensor) -> Course:
        """Return how the answers to normalized images (N, C, H, W) come about, in eval mode."""
        features, weights = self.features(images), self.weights()
        if self.code == "current":
            return _constant_currents(torch.relu(features), weights, self.output)
        return course(spike_times(features), weights, self.output)


def spike_times(features: Tensor) -> Tensor:
    """Return when a neuron spikes, from 0 on and below T; infinity: never.

    It would be above 0 were it not rounded: a feature from about 69 on has 0 in float32.
    """
    return torch.where(features > 0, STEPS * torch.exp(-_HASTE * features), math.inf)


def course(times: Tensor, weights: Tensor, output: Lif = OUTPUT) -> Course:
    """Return what spikes at given times do to LIF neurons in T steps.

    Args:
        times: t_i, (N, I), from 0 on; spikes after T never arrive.
        weights: w_ki, (K, I).
        output: The neurons.
    """
    currents, arrived, counts = [], [], []
    for step in range(1, STEPS + 1):
        now = (times > step - 1 if step > 1 else times >= 0) & (times <= step)
        leaked = torch.where(now, torch.exp((times - step) / output.tau), 0.0)
        currents.append(F.linear(leaked, weights))
        arrived.append(F.linear(now.to(weights.dtype), weights))
        counts.append(now.sum(1))
    found = _lif.run(torch.stack(currents), output)
    free = _lif.run(torch.stack(currents), Lif(output.decay, threshold=math.inf)).potentials
    # ∫ V over [0, n]: each spike adds τ w (1 - exp(-(n - t_i) / τ)).
    integral = output.tau * (torch.stack(arrived).cumsum(0) - free)
    spikes = torch.stack(counts, dim=1).cumsum(1)
    return Course(
        evidence=integral.transpose(0, 1) / STEPS,
        potentials=found.potentials.transpose(0, 1),
        spikes=found.spikes.transpose(0, 1),
        inner_spikes=spikes,
        operations=spikes * len(weights),
        multiply_adds=weights.numel(),
    )


def _constant_currents(features: Tensor, weights: Tensor, output: Lif) -> Course:
    """Return what constant currents do to LIF neurons; V4 does not spike, each step costs all products."""
    current = F.linear(features, weights)
    currents = current.expand(STEPS, *current.shape)
    found = _lif.run(currents, output)
    free = _lif.run(currents, Lif(output.decay, threshold=math.inf)).potentials
    steps = torch.arange(1, STEPS + 1)
    return Course(
        evidence=free.transpose(0, 1),
        potentials=found.potentials.transpose(0, 1),
        spikes=found.spikes.transpose(0, 1),
        inner_spikes=torch.zeros(len(features), STEPS),
        operations=(steps * weights.numel()).expand(len(features), -1),
        multiply_adds=weights.numel(),
    )


def _area(inputs: int, outputs: int, *, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs, momentum=_MOMENTUM),
        nn.ReLU(),
    )


def v4_lif(
    *,
    channels: int,
    classes: int,
    size: int,
    code: Literal["latency", "current"],
    threshold: float = 1.0,
    reset: Literal["subtract", "zero"] = "subtract",
    refractory: int = 0,
) -> V4Lif:
    """Return a new pathway with LIF neurons at its end.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 14; whatever it is, V4 has 64 × 7 × 7 neurons: from 46 pixels on
            pictures are halved to about 32 first, and V2 pools to 7.
        code: What V4 sends: one spike each, or constant currents.
        threshold: θ of the output neurons, in units of the default. Like the next two it decides when they
            spike, and so the course in time; the logits are of a potential without resets.
        reset: After a spike the potential falls by θ, or to 0.
        refractory: Steps after a spike in which an output neuron takes no input.
    """
    output = Lif(OUTPUT.decay, threshold, reset, refractory)
    return V4Lif(channels=channels, classes=classes, size=size, code=code, output=output)
