"""Drop boxes that mean what a better one means, as an operator that an exported graph can hold, too.

How many are left depends on the pictures; which ones are is said for all of them, so no shape does.
"""

import torch
from torch import Tensor
from torchvision.ops import nms


@torch.library.custom_op("foveal::distinct", mutates_args=())
def distinct(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """Return 1 for each box that stays and 0 for the others, float32 (N, P).

    Args:
        boxes: float32 (N, P, 4).
        scores: float32 (N, P).
        overlap: Intersection over union with a box of a higher score above which a box is dropped.
    """
    kept = torch.zeros_like(scores)
    for some, values, staying in zip(boxes, scores, kept, strict=True):
        staying[nms(some, values, overlap)] = 1.0
    return kept


@distinct.register_fake
def _(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    return torch.empty_like(scores)


OPERATOR = torch.ops.foveal.distinct.default  # as graphs of torch hold it
