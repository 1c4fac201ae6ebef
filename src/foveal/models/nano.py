"""Nano: a shallow, wide convolutional network that learns quickly and runs quickly on CPUs.

    (N, C, H, W) → whitening → [halving]* → stage → stage → stage → maximum → linear → (N, K)

Few layers with many channels keep the matrix units of a CPU busy. The first convolution is not learned:
it decorrelates small patches. Source of that idea and of the overall shape: Jordan, "94% on CIFAR-10 in
3.29 seconds on a single GPU", 2024, §3; the residual blocks, the halvings for larger pictures and the
sizes are ours (docs/decisions/0006-default-training.md).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.models import Card

CARD = Card(
    family="nano",
    kind="network",
    source="foveal; after Jordan 2024, arXiv:2404.00498",
    summary="the default: trains in minutes and answers in a millisecond on a small CPU",
    idea="A few wide layers keep the matrix units of a CPU busy; the first is not learned but set "
    "so that its outputs are uncorrelated.",
    smallest_size=16,
)

_PATCH = 2  # side of the whitened patch
_NOISE = 5e-4  # added to the variances, so that noise directions are not blown up
_MOMENTUM = 0.3  # of batch-norm statistics: runs are short

# From the smallest to the largest; training takes the largest that its budget allows.
SIZES: tuple[dict[str, Any], ...] = (
    {"widths": [16, 48, 128]},
    {"widths": [32, 96, 256]},
    {"widths": [64, 128, 256]},
)


class Nano(nn.Module):
    """See the module; built by `nano`."""

    def __init__(self, *, channels: int, classes: int, halvings: int, widths: Sequence[int]) -> None:
        super().__init__()
        filters = 2 * channels * _PATCH**2
        # Not even a bias is learned: no gradient has to reach the largest maps of the network.
        self.whiten = nn.Conv2d(channels, filters, _PATCH, stride=2 if halvings else 1, bias=False)
        self.whiten.weight.requires_grad = False
        stem: list[nn.Module] = [nn.ReLU()]
        inputs = filters
        for index in range(halvings - 1):
            outputs = min(widths[0], 32 * 2**index)
            stem += [
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
                _norm(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        self.stem = nn.Sequential(*stem)
        pairs = zip([inputs, *widths[:-1]], widths, strict=True)
        self.stages = nn.Sequential(*(_Stage(before, after) for before, after in pairs))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) for normalized images (N, C, H, W)."""
        features = self.stages(self.stem(self.whiten(images))).amax(dim=(2, 3))
        logits: Tensor = self.head(features) / 8  # keeps the first logits small; the head learns fast
        return logits

    @torch.no_grad()
    def learn_from(self, images: Tensor, *, reach: float = 0.0) -> None:
        """Set the first convolution so that its outputs over these images are uncorrelated.

        Nature varies fine detail so little that equal outputs blow it up, and with it what an adversary adds.
        Where each input is moved by `reach`, up or down by chance, a filter of length 1 varies by `reach`:
        that counts as variance of its own (docs/decisions/0027-adversarial-training.md).

        Args:
            images: Normalized training images (N, C, H, W); a few hundred suffice.
            reach: By how much an adversary may change each value of theirs, 0 or more.
        """
        channels = images.shape[1]
        patches = F.unfold(images.float(), _PATCH, stride=_PATCH).transpose(1, 2).flatten(0, 1).double()
        patches -= patches.mean(dim=0)
        variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        noise = max(_NOISE, reach**2)
        filters = (directions / (variances + noise).sqrt()).T.flip(0).float()
        filters = filters.view(-1, channels, _PATCH, _PATCH)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))


class _Stage(nn.Module):
    """Convolve, halve, and refine once: (N, I, H, W) → (N, O, H // 2, W // 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.enter_norm = _norm(outputs)
        self.refine = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.refine_norm = _norm(outputs)

    def forward(self, images: Tensor) -> Tensor:
        features = F.relu(self.enter_norm(F.max_pool2d(self.enter(images), 2)))
        refined: Tensor = features + F.relu(self.refine_norm(self.refine(features)))
        return refined


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=_MOMENTUM)


def nano(*, channels: int, classes: int, size: int, widths: Sequence[int] = (32, 96, 256)) -> Nano:
    """Return a new nano.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16; from 46 on the stem halves it to about 32 first.
        widths: Channels of the three stages.
    """
    halvings = max(0, round(math.log2(size / 32)))
    return Nano(channels=channels, classes=classes, halvings=halvings, widths=tuple(widths))
