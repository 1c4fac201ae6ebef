"""What there is to train: every architecture with its family's card."""

import contextlib
from typing import Any

from foveal import models
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.models._outline import outlined
from foveal.models._timm_card import CARD


def listing(
    *, channels: int = 3, classes: int = 10, size: int = 32, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Return one row per architecture: name, family, kind, task, parameters, source, idea, summary.

    A row stands for all of timm's, which are not looked at: `timm:NAME`.

    Nothing is allocated: parameters are counted on torch's meta device. They are None where their number
    follows from the training images or from weights, and where the network takes no such pictures or classes.

    Args:
        channels: Of the images.
        classes: Outputs.
        size: Side of the images in pixels.
        progress: Told before each: a network is outlined to count its parameters.
    """
    scenes = models.scene_names()
    names = [*models.names(), *scenes]
    rows: list[dict[str, Any]] = []
    for done, name in enumerate(names):
        progress("counting parameters", done, len(names))
        card, architecture = models.card(name), models.architecture(name)
        parameters = None
        if not card.grows and architecture.reads is None and size >= card.smallest_size:
            side: Any = [size, size] if name in scenes else size
            with contextlib.suppress(UsageError), outlined():  # what compares pairs, or knows good from not
                network = architecture(channels=channels, classes=classes, size=side)
                parameters = sum(p.numel() for p in network.parameters())
        rows.append(_row(catalog.spoken(name), card, parameters))
    progress("counting parameters", len(names), len(names))
    rows.append(_row("timm:NAME", CARD, None))
    return rows


def _row(name: str, card: models.Card, parameters: int | None) -> dict[str, Any]:
    return {
        "name": name,
        "family": card.family,
        "kind": card.kind,
        "parameters": parameters,
        "task": card.task,
        "smallest_size": card.smallest_size,
        "source": card.source,
        "idea": card.idea,
        "summary": card.summary,
    }
