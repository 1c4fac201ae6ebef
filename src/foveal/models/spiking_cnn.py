"""Spiking CNN: a convolutional network in which every layer is made of leaky integrate-and-fire neurons.

    (N, C, H, W) → constant current → [convolution → LIF] × 3 → linear → mean over T steps → (N, K)

The picture is a constant current into the first layer (direct coding: Rueckauer et al., "Conversion of
Continuous-Valued Deep Networks to Efficient Event-Driven Networks", 2017, §2.2); all that follows is spikes,
0 or 1, in four steps. It learns by surrogate gradients (Neftci et al. 2019, see `_lif`), with batch norm over
batch and time (Zheng et al., "Going Deeper With Directly-Trained Larger Spiking Neural Networks", 2021).

A hard threshold turns the last bit of a sum into a spike more or less, and engines add in other orders. So in
eval mode all sums are exact: filters, with batch norm folded in, and the picture are rounded to multiples of
a power of two, and β is 1/2, so that every potential is a fixed-point number. As long as float32 holds them
(docs/spiking.md says how large sums may be), every engine that computes in float32 has the same spikes, and
the exported file answers as the network does.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.models import Card, Course, Settings, _lif
from foveal.models._lif import Lif

CARD = Card(
    family="spiking_cnn",
    kind="network",
    source="foveal; after Neftci et al. 2019, arXiv:1901.09948",
    summary="spikes in every layer, to study them; slower to train than nano and less accurate",
    idea="Neurons leak, add up and spike for a few steps; a layer tells the next nothing but its spikes.",
    smallest_size=8,
)
SETTINGS = Settings(batch_size=250)

STEPS = 4  # T
NEURON = Lif(decay=0.5)
_FILTER_GRID, _PICTURE_GRID = 2**8, 2**6  # parts of 1: 14 bits, and below 2⁷ there are 21 with three halvings
_LOGIT = 3.0  # a logit of this size drives an output neuron to its threshold in one step
_WIDTHS = (16, 32, 64)
_MOMENTUM = 0.3  # of batch-norm statistics: runs are short


class SpikingCnn(nn.Module):
    """See the module; built by `spiking_cnn`."""

    def __init__(self, *, channels: int, classes: int, size: int) -> None:
        super().__init__()
        halvings = max(0, round(math.log2(size / 32)))
        # The first layer halves instead of keeping the size where there is anything to halve.
        strides = [*([2] * halvings or [1]), 2, 2]
        widths = [*[_WIDTHS[0]] * (len(strides) - 2), *_WIDTHS[1:]]
        side = size
        for stride in strides:
            side = (side - 1) // stride + 1
        pairs = zip([channels, *widths[:-1]], widths, strides, strict=True)
        self.areas = nn.ModuleList(_Area(before, after, stride) for before, after, stride in pairs)
        self.head = nn.Linear(widths[-1] * side**2, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) for normalized images (N, C, H, W)."""
        rate = self.spikes(images)[-1].mean(0)
        logits: Tensor = self._voltages(rate.flatten(1))
        return logits

    def spikes(self, images: Tensor) -> list[Tensor]:
        """Return the spikes of each layer, (T, N, channels, height, width)."""
        if not self.training:
            images = torch.round(images * _PICTURE_GRID) / _PICTURE_GRID
        current = self.areas[0](images).float()
        found = [_lif.run(current.expand(STEPS, *current.shape), NEURON).spikes]
        for area in self.areas[1:]:
            currents = area(found[-1].flatten(0, 1)).float()
            found.append(_lif.run(currents.unflatten(0, (STEPS, -1)), NEURON).spikes)
        return found

    def _voltages(self, rates: Tensor) -> Tensor:
        """Return what spikes at these rates, 0 to 1, add to each class; the first logits are small."""
        voltages: Tensor = self.head(rates) / 8
        return voltages

    @torch.no_grad()
    def over_time(self, images: Tensor) -> Course:
        """Return how the answers to normalized images (N, C, H, W) come about, in eval mode."""
        layers = self.spikes(images)
        voltages = self._voltages(layers[-1].flatten(2))  # (T, N, K)
        output = _lif.run(voltages / _LOGIT, NEURON)
        inner = torch.stack([spikes.flatten(2).sum(2) for spikes in layers]).sum(0)
        every = [torch.ones_like(spikes[:1, :1]) for spikes in layers]  # as if each neuron spoke once
        steps = torch.arange(1, STEPS + 1)[:, None, None]
        return Course(
            evidence=(voltages.cumsum(0) / steps).transpose(0, 1),
            potentials=output.potentials.transpose(0, 1),
            spikes=output.spikes.transpose(0, 1),
            inner_spikes=inner.cumsum(0).T,
            operations=self._operations(layers).cumsum(0).T,
            multiply_adds=int(self._operations(every)),
        )

    def _operations(self, layers: list[Tensor]) -> Tensor:
        """Return how many sums the spikes of all layers are added to, (T, N)."""
        found = layers[-1].flatten(2).sum(2) * self.head.out_features
        for spikes, area in zip(layers[:-1], self.areas[1:], strict=True):
            found = found + area.reached(spikes)  # type: ignore[operator]  # a module's attribute
        return found


class _Area(nn.Module):
    """A convolution with batch norm; in eval mode both are one, in fixed-point numbers."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs, momentum=_MOMENTUM)
        nn.init.constant_(self.norm.bias, 0.5)  # a potential halfway to the threshold

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            normed: Tensor = self.norm(self.conv(images))
            return normed
        filters, bias = self.folded()
        return F.conv2d(images, filters, bias, stride=self.conv.stride, padding=1)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return filters and bias with batch norm inside, multiples of 2⁻⁸.

        In float64: which multiple is nearest must not depend on how a product was rounded before.
        """
        norm = self.norm
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise RuntimeError("batch norm keeps its statistics")
        scale = norm.weight.double() / torch.sqrt(variance.double() + norm.eps)
        bias = norm.bias.double() - mean.double() * scale
        return _on_grid(self.conv.weight.double() * scale[:, None, None, None]), _on_grid(bias)

    def reached(self, spikes: Tensor) -> Tensor:
        """Return how many sums spikes (T, N, C, H, W) are added to, all in all, (T, N)."""
        together = spikes.sum(2).flatten(0, 1)[:, None]
        ones = torch.ones(1, 1, 3, 3)
        sums = F.conv2d(together, ones, stride=self.conv.stride, padding=1).flatten(1).sum(1)
        return sums.view(spikes.shape[:2]) * self.conv.out_channels


def _on_grid(values: Tensor) -> Tensor:
    return (torch.round(values * _FILTER_GRID) / _FILTER_GRID).float()


def spiking_cnn(*, channels: int, classes: int, size: int) -> SpikingCnn:
    """Return a new spiking network.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 8; from 46 pixels on pictures are halved to about 32 first.
    """
    return SpikingCnn(channels=channels, classes=classes, size=size)
