"""What spoils pictures in use, in a cheap form: blur, noise, few pixels, too little contrast, wrong light."""

import torch
from torch import Tensor

from foveal.train.augment import _changes
from foveal.train.objective import Batch

_CHANGES = (
    _changes.blurred,
    _changes.noisy,
    _changes.blocky,
    _changes.flattened,
    _changes.brightened,
)
_SPARED = 0.3  # share of the pictures that stay as they are


def corruption(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Spoil most pictures, each in one way of five and by an amount of its own.

    These are not the functions of `perturb.corruptions`, but they are of the same kinds as gaussian_noise,
    gaussian_blur (and so defocus_blur), pixelate, contrast and brightness there: what is measured with
    those afterwards is robustness to something seen. The other kinds stay unseen.

    Args:
        images: (N, C, H, W), normalized.
        targets: (N, K).
        strength: Largest amount of a change, 0 is off; 1 is about the strongest level for 32 pixels.
        batch: Gives the generator.
    """
    if strength == 0:
        return images, targets
    amounts = torch.rand(len(images), generator=batch.generator) * strength
    changed = _changes.one_each(images, _CHANGES, amounts, batch)
    spared = torch.rand(len(images), generator=batch.generator) < _SPARED
    return torch.where(spared[:, None, None, None], images, changed), targets
