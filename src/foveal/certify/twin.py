"""The torch network behind a file, asked with pixels: what an attack that follows gradients needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.certify.parts import Parts
from foveal.data.dataset import UInt8
from foveal.perturb.attacks.ball import Ball
from foveal.tasks.recognizer import Recognizer


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
        """Return moved pictures, float32 (N, C, H, W), or clips (N, T, C, H, W)."""
        ...


def pixel_logits(recognizer: Recognizer) -> Callable[[Tensor], Tensor]:
    """Return the network as a function of grey levels 0 to 255: float32 (N, C, H, W) to logits (N, K).

    Of a network for clips it takes (N, T, C, H, W).
    """
    network = recognizer.network.eval().requires_grad_(False)
    mean = torch.tensor(recognizer.preprocess.mean).view(-1, 1, 1) * 255.0
    scale = 1.0 / (torch.tensor(recognizer.preprocess.std).view(-1, 1, 1) * 255.0)

    def logits(pixels: Tensor) -> Tensor:
        normalized = (pixels - mean) * scale
        if normalized.ndim == 4:
            normalized = normalized.contiguous(memory_format=torch.channels_last)
        found: Tensor = network(normalized)
        return found

    return logits


def as_tensor(images: UInt8) -> Tensor:
    """Return uint8 (N, H, W, C) as grey levels, float32 (N, C, H, W); clips (N, T, H, W, C) likewise."""
    return torch.from_numpy(images).movedim(-1, -3).float()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch take one thread inside, and as many as before afterwards.

    What is large is divided into parts that run side by side: sums come out the same on any machine, and a
    thread that has to wait for its processor holds up no other one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
    parts: Parts,
) -> UInt8:
    """Return pictures that an attack on the network found, as files hold them: whole levels, in the ball.

    Args:
        recognizer: Whose gradients are followed.
        attack: Moves them within that ball. It is told the answers for whole levels, and in Linf the ball of
            the whole levels within the radius: so it judges the pictures that are returned.
        images: uint8 (N, H, W, C), or clips (N, T, H, W, C).
        labels: The truth, int64 (N,).
        ball: How far a picture may be moved.
        parts: How the work is divided, and the seed of random starts.
    """
    logits = whole(pixel_logits(recognizer))
    inside = Ball("linf", float(int(ball.radius))) if ball.norm == "linf" and ball.radius >= 1 else ball

    def work(part: slice, seed: int) -> UInt8:
        with one_thread():  # torch asks each thread anew
            moved = attack(
                logits,
                as_tensor(images[part]),
                torch.from_numpy(labels[part]),
                ball=inside,
                generator=torch.Generator().manual_seed(seed),
            )
        return ball.rounded(moved.movedim(-3, -1).numpy(), images[part])

    return parts.of(images, work)


def vanished(recognizer: Recognizer, images: UInt8, labels: NDArray[np.int64]) -> int:
    """Return for how many pictures the slope of the loss in every pixel is exactly 0."""
    logits, count = pixel_logits(recognizer), 0
    for image, label in zip(images, labels, strict=True):
        pixels = as_tensor(image[None]).requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(logits(pixels), torch.tensor([label]))
        (slope,) = torch.autograd.grad(loss, pixels)
        count += int((slope == 0).all())
    return count
