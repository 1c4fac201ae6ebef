"""Mix each picture with chains of changes of itself.

Source: Hendrycks et al., "AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty",
2020, algorithm 1, without its Jensen-Shannon loss, which takes three passes through the network for one.
"""

import torch
from torch import Tensor

from foveal.train.augment import _changes
from foveal.train.objective import Batch

_CHAINS = 3
_LONGEST = 3  # changes in a chain
# The paper's, without equalizing: nothing that ImageNet-C does, so that robustness to that is not flattered.
_CHANGES = (
    _changes.rotated,
    _changes.sheared,
    _changes.moved,
    _changes.stretched,
    _changes.coarsened,
    _changes.inverted,
)
_LARGEST = 0.3  # of the range of each change, at strength 1: the paper's severity 3 of 10


def augmix(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Blend each picture with a mixture of three chains of one to three changes of it.

    The shares of the chains are Dirichlet(1, 1, 1), that of all chains together is Beta(1, 1).

    Args:
        images: (N, C, H, W), normalized.
        targets: (N, K).
        strength: Largest change; 1 is the paper's severity 3, 0 is off.
        batch: Gives the generator.
    """
    if strength == 0:
        return images, targets
    count, generator = len(images), batch.generator
    shares = -torch.log1p(-torch.rand(_CHAINS, count, generator=generator))
    shares = shares / shares.sum(0) * torch.rand(count, generator=generator)  # of chains in the result
    mixed = images * (1 - shares.sum(0))[:, None, None, None]
    for share in shares:
        depths = torch.randint(1, _LONGEST + 1, (count,), generator=generator)
        chain = images
        for step in range(_LONGEST):
            amounts = torch.rand(count, generator=generator) * (strength * _LARGEST)
            longer = (depths > step).nonzero()[:, 0]
            if step == 0:
                chain = _changes.one_each(images, _CHANGES, amounts, batch)
            elif len(longer):
                chain[longer] = _changes.one_each(chain[longer], _CHANGES, amounts[longer], batch)
        mixed += chain * share[:, None, None, None]
    return mixed, targets
