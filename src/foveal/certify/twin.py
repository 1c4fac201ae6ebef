"""The torch network behind a file, asked with pixels: what an attack that follows gradients needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.core.random import seed_for
from foveal.data.dataset import UInt8
from foveal.perturb.attacks.ball import Ball
from foveal.tasks.recognizer import Recognizer

_MOST = 256  # pictures at once
_PIXELS = 2**19  # and as many pixels: 10 pictures of 224 x 224, whose activations take about 1 GB


class Attack(Protocol):
    """A file of `perturb/attacks/white_box` with number of steps given."""

    def __call__(
        self,
        logits: Callable[[Tensor], Tensor],
        images: Tensor,
        labels: Tensor,
        /,
        *,
        ball: Ball,
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


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch take so many threads inside, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def batches(images: UInt8) -> Iterator[slice]:
    """Return the parts that pictures (N, H, W, C) are worked on in.

    Their size alone decides, so that memory is bounded and nothing depends on the machine.
    """
    size = max(1, min(_MOST, _PIXELS // max(1, images.shape[1] * images.shape[2])))
    return (slice(start, min(start + size, len(images))) for start in range(0, len(images), size))


def drawn(seed: int, part: slice) -> torch.Generator:
    """Return what a part of the pictures draws from."""
    return torch.Generator().manual_seed(seed_for(seed, "batch", part.start))


def whole(logits: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the same function of the nearest whole levels, which is all that a file can hold.

    Rounding has no slope; that of the function itself is passed on (Athalye, Carlini & Wagner, "Obfuscated
    Gradients Give a False Sense of Security", 2018, §4.1: backward pass differentiable approximation).
    """

    def rounded(pixels: Tensor) -> Tensor:
        return logits(pixels.detach().round() + (pixels - pixels.detach()))

    return rounded


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
        attack: Moves them within that ball. It is told the answers for whole levels, and in Linf the ball of
            the whole levels within the radius: so it judges the pictures that are returned.
        images: uint8 (N, H, W, C).
        labels: The truth, int64 (N,).
        ball: How far a picture may be moved.
        seed: Of its random start.
    """
    found = images.copy()
    logits = whole(pixel_logits(recognizer))
    inside = Ball("linf", float(int(ball.radius))) if ball.norm == "linf" and ball.radius >= 1 else ball
    for part in batches(images):
        moved = attack(
            logits,
            as_tensor(images[part]),
            torch.from_numpy(labels[part]),
            ball=inside,
            generator=drawn(seed, part),
        )
        found[part] = ball.rounded(moved.permute(0, 2, 3, 1).numpy(), images[part])
    return found


def vanished(recognizer: Recognizer, images: UInt8, labels: NDArray[np.int64]) -> int:
    """Return for how many pictures the slope of the loss in every pixel is exactly 0."""
    logits, count = pixel_logits(recognizer), 0
    for part in batches(images):
        pixels = as_tensor(images[part]).requires_grad_(True)
        truth = torch.from_numpy(labels[part])
        loss = torch.nn.functional.cross_entropy(logits(pixels), truth, reduction="sum")
        (slope,) = torch.autograd.grad(loss, pixels)
        count += int((slope.flatten(1).abs().amax(dim=1) == 0).sum())
    return count
