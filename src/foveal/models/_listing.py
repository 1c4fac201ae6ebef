"""What there is to train: every architecture with its family's card."""

from typing import Any

import torch

from foveal import models
from foveal.core import catalog


def listing(*, channels: int = 3, classes: int = 10, size: int = 32) -> list[dict[str, Any]]:
    """Return one row per architecture: name, family, kind, parameters, source, summary.

    Nothing is allocated: parameters are counted on torch's meta device. They are None where their number
    follows from the training images.

    Args:
        channels: Of the images.
        classes: Outputs.
        size: Side of the images in pixels.
    """
    rows = []
    for name in models.names():
        card = models.card(name)
        with torch.device("meta"):
            network = models.architecture(name)(channels=channels, classes=classes, size=size)
        rows.append(
            {
                "name": catalog.spoken(name),
                "family": card.family,
                "kind": card.kind,
                "parameters": None if card.grows else sum(p.numel() for p in network.parameters()),
                "source": card.source,
                "summary": card.summary,
            }
        )
    return rows
