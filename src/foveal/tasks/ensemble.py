"""Several networks that answer as one: the mean of their probabilities.

Source: Lakshminarayanan, Pritzel & Blundell, "Simple and Scalable Predictive Uncertainty Estimation using
Deep Ensembles", 2017, §2.4. https://arxiv.org/abs/1612.01474
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.tasks.recognizer import Recognizer

NAME = "ensemble"  # as what its architecture is called


class Ensemble(nn.Module):
    """Members side by side: pixels on the 0..1 scale (N, C, H, W) to logits (N, K).

    Each has a normalization of its own, which lies inside. The logits are the logarithm of the mean
    probability, so that their softmax is that mean.
    """

    def __init__(self, members: Sequence[nn.Module], preprocesses: Sequence[Preprocess]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        for name in ("mean", "std"):
            values = torch.tensor([getattr(preprocess, name) for preprocess in preprocesses])
            self.register_buffer(name, values[:, None, :, None, None])  # (M, 1, C, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K)."""
        means, stds = self.get_buffer("mean"), self.get_buffer("std")
        answers = [
            member((images - mean) / std) for member, mean, std in zip(self.members, means, stds, strict=True)
        ]
        return log_mean(torch.stack(answers, dim=1))


def log_mean(logits: Tensor) -> Tensor:
    """Return the logarithm of the mean probability, (N, K), for logits of M members, (N, M, K)."""
    mean = torch.logsumexp(torch.log_softmax(logits, dim=2), dim=1)
    return mean - math.log(logits.shape[1])


def ensemble(members: Sequence[Recognizer]) -> Recognizer:
    """Return the recognizer whose probabilities are the mean of its members'.

    Args:
        members: Two or more, for the same classes in the same order, and pictures of the same size.

    Raises:
        UsageError: `one_member`, or `members_differ`: they do not answer the same question.
    """
    if len(members) < 2:
        raise UsageError("an ensemble has two members or more", code="one_member")
    first = members[0]
    for number, other in enumerate(members[1:], 2):
        _check_alike(first, other, number)
    channels = first.preprocess.channels
    unit = first.preprocess.model_copy(update={"mean": (0.0,) * channels, "std": (1.0,) * channels})
    network = Ensemble([m.network for m in members], [m.preprocess for m in members])
    told = [
        {
            "architecture": m.architecture,
            "arguments": m.arguments,
            "mean": list(m.preprocess.mean),
            "std": list(m.preprocess.std),
        }
        for m in members
    ]
    return replace(
        first, network=network.eval(), architecture=NAME, arguments={"members": told}, preprocess=unit
    )


def _check_alike(first: Recognizer, other: Recognizer, number: int) -> None:
    if other.task != first.task or other.classes != first.classes:
        ours, theirs = (", ".join(one.classes[:5]) for one in (first, other))
        raise UsageError(
            f"member {number} tells other classes apart than the first: {theirs}, not {ours}",
            code="members_differ",
            hint="train all members on the same data",
        )
    if other.preprocess.pixels_digest != first.preprocess.pixels_digest:
        sizes = [f"{p.size} × {p.size} × {p.channels}" for p in (other.preprocess, first.preprocess)]
        raise UsageError(
            f"member {number} takes pictures of {sizes[0]}, the first of {sizes[1]}"
            + (", prepared in another way" if sizes[0] == sizes[1] else ""),
            code="members_differ",
            hint="train all members with the same --size",
        )
