"""The torch network behind a file, asked with pixels: what an attack that follows gradients needs."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.data.dataset import UInt8
from foveal.perturb.attacks.ball import Ball
from foveal.tasks.recognizer import Recognizer


class Attack(Protocol):
    """A file of `perturb/attacks/white_box` with ball and number of steps given."""

    def __call__(
        self,
        logits: Callable[[Tensor], Tensor],
        images: Tensor,
        labels: Tensor,
        /,
        *,
        generator: torch.Generator,
    ) -> Tensor:
        """Return moved pictures, float32 (N, C, H, W)."""
        ...


def pixel_logits(recognizer: Recognizer) -> Callable[[Tensor], Tensor]:
    """Return the network as a function of grey levels 0 to 255: float32 (N, C, H, W) to logits (N, K)."""
    network = recognizer.network.eval().requires_grad_(False)
    mean = torch.tensor(recognizer.preprocess.mean).view(-1, 1, 1) * 255.0
    scale = 1.0 / (torch.tensor(recognizer.preprocess.std).view(-1, 1, 1) * 255.0)

    def logits(pixels: Tensor) -> Tensor:
        normalized = ((pixels - mean) * scale).contiguous(memory_format=torch.channels_last)
        found: Tensor = network(normalized)
        return found

    return logits


def as_tensor(images: UInt8) -> Tensor:
    """Return uint8 (N, H, W, C) as grey levels, float32 (N, C, H, W)."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


def attacked(
    recognizer: Recognizer,
    attack: Attack,
    images: UInt8,
    labels: NDArray[np.int64],
    *,
    ball: Ball,
    seed: int,
) -> UInt8:
    """Return pictures that an attack on the network found, as files hold them: whole levels, in the ball.

    Args:
        recognizer: Whose gradients are followed.
        attack: Moves them within that ball.
        images: uint8 (N, H, W, C).
        labels: The truth, int64 (N,).
        ball: How far a picture may be moved.
        seed: Of its random start.
    """
    moved = attack(
        pixel_logits(recognizer),
        as_tensor(images),
        torch.from_numpy(labels),
        generator=torch.Generator().manual_seed(seed),
    )
    return ball.rounded(moved.permute(0, 2, 3, 1).numpy(), images)


def vanished(recognizer: Recognizer, images: UInt8, labels: NDArray[np.int64]) -> int:
    """Return for how many pictures the slope of the loss in every pixel is exactly 0."""
    pixels = as_tensor(images).requires_grad_(True)
    loss = torch.nn.functional.cross_entropy(
        pixel_logits(recognizer)(pixels), torch.from_numpy(labels), reduction="sum"
    )
    (slope,) = torch.autograd.grad(loss, pixels)
    return int((slope.flatten(1).abs().amax(dim=1) == 0).sum())
