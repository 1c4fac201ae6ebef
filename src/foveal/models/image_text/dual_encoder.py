"""Two encoders into one space: a picture lies near the texts that fit it.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021, §2.3
and figure 3, arXiv:2103.00020.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal import models
from foveal.models.image_text.transformer import PatchTransformer, TextTransformer

PATCHES = "clip_patches"  # name of the image encoder of published networks
FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0  # §2.5 of the source
_LARGEST = math.log(LARGEST_SCALE)


class DualEncoder(nn.Module):
    """Pictures and texts to unit vectors, and the scale that their cosines are multiplied by."""

    def __init__(self, image: nn.Module, text: TextTransformer) -> None:
        """Hold the encoders.

        Args:
            image: Normalized images (N, C, H, W) to (N, D).
            text: Token numbers (N, L) to (N, D).
        """
        super().__init__()
        self.image, self.text = image, text
        self.logit_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by, a scalar of at most 100."""
        return self.logit_scale.clamp(max=_LARGEST).exp()

    @torch.no_grad()
    def bound_scale(self) -> None:
        """Bring the scale back to at most 100: beyond that it would no longer have a gradient."""
        self.logit_scale.clamp_(max=_LARGEST)

    def images(self, images: Tensor) -> Tensor:
        """Return unit vectors (N, D) in float32 for normalized images (N, C, H, W)."""
        return F.normalize(self.image(images).float(), dim=1)

    def texts(self, tokens: Tensor) -> Tensor:
        """Return unit vectors (N, D) in float32 for token numbers (N, L)."""
        return F.normalize(self.text(tokens).float(), dim=1)


class PromptedClassifier(nn.Module):
    """Normalized images (N, C, H, W) → logits (N, K): cosines with fixed class vectors, times the scale."""

    def __init__(self, image: nn.Module, classes: Tensor, scale: float) -> None:
        """Hold the encoder and the classes.

        Args:
            image: Normalized images to (N, D).
            classes: A unit vector for each class, (K, D).
            scale: What cosines are multiplied by.
        """
        super().__init__()
        self.image = image
        self.head = nn.Linear(classes.shape[1], len(classes))
        with torch.no_grad():
            self.head.weight.copy_(classes * scale)
            self.head.bias.zero_()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K)."""
        logits: Tensor = self.head(F.normalize(self.image(images), dim=1))
        return logits


def image_encoder(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Return a new image encoder: a classifier whose last layer gives dimensions in place of classes.

    Args:
        architecture: Of `models/`, or `clip_patches`.
        arguments: Of its builder; its `classes` are the dimensions.

    Raises:
        UnknownNameError: No such architecture.
    """
    if architecture == PATCHES:
        return PatchTransformer(**arguments)
    return models.architecture(architecture).build(**arguments)
