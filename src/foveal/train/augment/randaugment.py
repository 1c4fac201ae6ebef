"""Two random changes of each picture.

Source: Cubuk et al., "RandAugment: Practical Automated Data Augmentation with a Reduced Search Space", 2019.
"""

import torch
from torch import Tensor

from foveal.train.augment import _changes
from foveal.train.objective import Batch

_TIMES = 2
# Brightness and contrast are among the types of ImageNet-C, as in the paper.
_CHANGES = (
    _changes.rotated,
    _changes.sheared,
    _changes.moved,
    _changes.stretched,
    _changes.coarsened,
    _changes.inverted,
    _changes.brightened,
    _changes.flattened,
)


def randaugment(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Change each picture twice, each time by a change of its own with a random amount.

    Args:
        images: (N, C, H, W), normalized.
        targets: (N, K).
        strength: Largest amount of a change; 1 is the paper's magnitude 10, 0 is off.
        batch: Gives the generator.
    """
    if strength == 0:
        return images, targets
    for _ in range(_TIMES):
        amounts = torch.rand(len(images), generator=batch.generator) * strength
        images = _changes.one_each(images, _CHANGES, amounts, batch)
    return images, targets
