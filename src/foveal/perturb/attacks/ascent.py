"""Moving pictures uphill in a loss without leaving the ball: what all attacks with gradients share."""

from collections.abc import Callable

import torch
from torch import Tensor

from foveal.perturb.attacks.ball import Ball

_TINY = 1e-12


def per_image(values: Tensor, images: Tensor) -> Tensor:
    """Return values (N,) in a shape that multiplies images (N, C, H, W)."""
    return values.view(-1, *[1] * (images.ndim - 1))


def lengths(moves: Tensor) -> Tensor:
    """Return the L2 norm of each picture's moves, (N, 1, 1, 1); squares neither over- nor underflow."""
    largest = moves.flatten(1).abs().amax(dim=1)
    scaled = moves / per_image(largest.clamp_min(torch.finfo(moves.dtype).tiny), moves)
    return per_image(largest * scaled.flatten(1).norm(dim=1), moves)


def project(moved: Tensor, images: Tensor, ball: Ball) -> Tensor:
    """Return the nearest pictures inside the ball, then cut off at 0 and 255, which only brings them nearer.

    Args:
        moved: float (N, C, H, W).
        images: What they were, float in 0 to 255.
        ball: Around each image.
    """
    if ball.norm == "linf":
        moved = torch.minimum(torch.maximum(moved, images - ball.radius), images + ball.radius)
    else:
        moves = moved - images
        moved = images + moves * (ball.radius / lengths(moves).clamp_min(_TINY)).clamp_max(1.0)
    return moved.clamp(0.0, 255.0)


def uphill(slopes: Tensor, ball: Ball) -> Tensor:
    """Return the move of size 1 in the ball's norm that gains most; where a slope is exactly zero, none.

    Args:
        slopes: Gradient by the pictures, (N, C, H, W).
        ball: Gives the norm.
    """
    if ball.norm == "linf":
        return slopes.sign()
    largest = per_image(slopes.flatten(1).abs().amax(dim=1), slopes)
    # Divided twice: the squares of a gradient that has nearly vanished would be zero.
    scaled = slopes / torch.where(largest > 0, largest, 1.0)
    return scaled / per_image(scaled.flatten(1).norm(dim=1), slopes).clamp_min(_TINY)


def random_start(images: Tensor, ball: Ball, generator: torch.Generator) -> Tensor:
    """Return pictures drawn evenly from the ball, cut off at 0 and 255.

    Args:
        images: float (N, C, H, W) in 0 to 255.
        ball: Around each image. In L2 a Gaussian direction and a radius with density in proportion to the
            volume at it, as in any ball of so many dimensions nearly always at the rim.
        generator: The only source of randomness.
    """
    if ball.norm == "linf":
        moves = (torch.rand(images.shape, generator=generator) * 2 - 1) * ball.radius
    else:
        moves = torch.randn(images.shape, generator=generator)
        far = torch.rand(len(images), generator=generator) ** (1 / max(1, images[0].numel()))
        moves = moves / lengths(moves).clamp_min(_TINY) * per_image(far, images) * ball.radius
    return project(images + moves, images, ball)


def ascend(
    loss: Callable[[Tensor], Tensor], images: Tensor, start: Tensor, *, ball: Ball, step: float, steps: int
) -> Tensor:
    """Return pictures after so many steps of equal size uphill, each brought back into the ball.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018, §2.1.

    Args:
        loss: Pictures (N, C, H, W) to a number: a sum over the pictures, so that none moves another.
        images: What they were, float in 0 to 255.
        start: Where to begin, inside the ball.
        ball: Around each image.
        step: In grey levels, in the ball's norm.
        steps: How many.
    """
    moved = start.detach()
    for _ in range(steps):
        moved.requires_grad_()
        with torch.enable_grad():
            (slopes,) = torch.autograd.grad(loss(moved), moved)
        moved = project(moved.detach() + step * uphill(slopes, ball), images, ball)
    return moved
