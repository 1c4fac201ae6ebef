"""Pictures as they are learned from: normalized, moved by one affine map each, recoloured."""

from collections.abc import Mapping

import torch
from torch import Tensor

from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.train.augment.color import color
from foveal.train.objective import Batch
from foveal.train.scenes.geometry import Moves, drawn


def moved(batch: Batch, preprocess: Preprocess, strengths: Mapping[str, float]) -> tuple[Tensor, Moves]:
    """Return normalized, moved pictures, float32 (N, C, H, W), and how each was moved."""
    images = learn.normalize(batch.images, preprocess)
    height, width = images.shape[2:]
    moves = drawn(len(images), (height, width), strengths, batch.generator)
    return moves.images(images), moves


def recoloured(images: Tensor, batch: Batch, strengths: Mapping[str, float]) -> Tensor:
    """Return pictures of any number of channels with other brightness, contrast and saturation."""
    changed, _ = color(images, batch.labels, strength=strengths["color"], batch=batch)
    return changed.contiguous(memory_format=torch.channels_last)
