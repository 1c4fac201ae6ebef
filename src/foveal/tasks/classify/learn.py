"""Learning to classify: normalized input, targets, loss."""

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.data.preprocess import Preprocess


def normalize(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Return what the network sees: float32 (N, C, H, W), mean 0 and deviation 1 per channel.

    Of clips it is float32 (N, T, C, H, W).

    The result keeps the channels innermost in memory, which convolutions on CPUs like best. The
    exported graph does the same operations in the same order.

    Args:
        images: uint8 (N, H, W, C), or (N, T, H, W, C), as `Preprocess` leaves them.
        preprocess: Gives mean and standard deviation.
    """
    mean = torch.tensor(preprocess.mean) * 255.0
    scale = 1.0 / (torch.tensor(preprocess.std) * 255.0)
    # Planes first, of bytes: engines are ten times slower at a factor for each of three neighbours in memory.
    planes = images.permute(0, 3, 1, 2) if images.ndim == 4 else images.permute(0, 1, 4, 2, 3)
    return (planes.float() - mean[:, None, None]) * scale[:, None, None]


def targets(labels: Tensor, *, classes: int, smoothing: float) -> Tensor:
    """Return class shares, float (N, K): `smoothing` of each is spread over all classes.

    Source: Szegedy et al., "Rethinking the Inception Architecture", 2016, §7.
    """
    sharp = F.one_hot(labels, classes).float()
    return sharp * (1 - smoothing) + smoothing / classes


def loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats; computed in float32 whatever the logits are.

    Args:
        logits: (N, K).
        shares: Target shares (N, K), rows sum to 1.
    """
    return F.cross_entropy(logits.float(), shares)
