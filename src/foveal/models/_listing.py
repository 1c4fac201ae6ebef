"""What there is to train: every architecture with its family's card."""

from typing import Any

from foveal import models
from foveal.core import catalog
from foveal.models._outline import outlined


def listing(*, channels: int = 3, classes: int = 10, size: int = 32) -> list[dict[str, Any]]:
    """Return one row per architecture: name, family, kind, parameters, source, idea, summary.

    A row stands for all of timm's, which are not looked at: `timm:NAME`.

    Nothing is allocated: parameters are counted on torch's meta device. They are None where their number
    follows from the training images, and where the network takes no pictures of that size.

    Args:
        channels: Of the images.
        classes: Outputs.
        size: Side of the images in pixels.
    """
    rows: list[dict[str, Any]] = []
    for name in models.names():
        card = models.card(name)
        parameters = None
        if not card.grows and size >= card.smallest_size:
            with outlined():
                network = models.architecture(name)(channels=channels, classes=classes, size=size)
            parameters = sum(p.numel() for p in network.parameters())
        rows.append(
            {
                "name": catalog.spoken(name),
                "family": card.family,
                "kind": card.kind,
                "parameters": parameters,
                "smallest_size": card.smallest_size,
                "source": card.source,
                "idea": card.idea,
                "summary": card.summary,
            }
        )
    rows.append(
        {
            "name": "timm:NAME",
            "family": "timm",
            "kind": "network",
            "parameters": None,
            "smallest_size": 1,
            "source": "timm, https://github.com/huggingface/pytorch-image-models",
            "idea": "Whatever timm can build with any number of channels and classes.",
            "summary": "one of timm's more than a thousand, untrained; it is tried before it learns",
        }
    )
    return rows
