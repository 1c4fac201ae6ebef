"""What a segmenter answers in torch: the reference that the exported graph is compared with."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from foveal.core.batches import at_once
from foveal.data.dataset import UInt8
from foveal.tasks.classify.learn import normalize
from foveal.tasks.recognizer import Recognizer


def at_full_size(logits: Tensor, sides: tuple[int, int]) -> Tensor:
    """Return class logits (N, K, h, w) brought to the size of the input, bilinearly."""
    if tuple(logits.shape[2:]) == sides:
        return logits
    return F.interpolate(logits, size=sides, mode="bilinear", align_corners=False)


def classes_of(logits: Tensor, sides: tuple[int, int]) -> Tensor:
    """Return the most probable class of each pixel of the input, uint8 (N, H, W)."""
    return at_full_size(logits, sides).argmax(dim=1).to(torch.uint8)


@torch.no_grad()
def answers(recognizer: Recognizer, images: UInt8) -> tuple[UInt8, NDArray[np.float32]]:
    """Return what a segmenter answers for pictures at model size, uint8 (N, H, W, C), in float32.

    Returns:
        The class of each pixel, uint8 (N, H, W), and by how much its logit is above the next one, (N, H, W).
    """
    network: Any = recognizer.network.eval()
    step = max(1, at_once(recognizer.preprocess.shape) // 4)
    regions, margins = [], []
    for start in range(0, len(images), step):
        seen = normalize(torch.from_numpy(images[start : start + step]), recognizer.preprocess)
        logits = network.everything(seen)[1] if recognizer.task == "panoptic" else network(seen)
        best = at_full_size(logits, recognizer.preprocess.sides).topk(2, dim=1)
        regions.append(best.indices[:, 0].to(torch.uint8).numpy())
        margins.append((best.values[:, 0] - best.values[:, 1]).numpy())
    return np.concatenate(regions), np.concatenate(margins)
