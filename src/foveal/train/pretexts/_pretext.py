"""What all methods that need no labels share: a network without a head, and one of their own on top."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.train import optimizer
from foveal.train.objective import Batch, Objective
from foveal.train.plan import Plan

_HEAD_RATE = 2e-3  # of Adam, whatever moves the network


class Pretext(Objective):
    """A method that learns features from pictures alone.

    What it puts on top of the features learns along and never ships.
    """

    def __init__(
        self, network: nn.Module, *, dimensions: int, preprocess: Preprocess, settings: Mapping[str, float]
    ) -> None:
        """Hold what is trained.

        Args:
            network: Normalized images (N, C, H, W) to features (N, D).
            dimensions: D.
            preprocess: Gives the normalization and the size.
            settings: A value for each of the file's `SETTINGS`.
        """
        super().__init__()
        self.network = network
        self.dimensions = dimensions
        self.preprocess = preprocess
        self.settings = dict(settings)

    @classmethod
    def suited(cls, settings: Mapping[str, float], *, images: int) -> dict[str, float]:
        """Return settings that suit so many pictures; the default leaves them as they are."""
        return dict(settings)

    @abstractmethod
    def views(self, batch: Batch) -> list[Tensor]:
        """Return all that the network is shown of each picture, normalized, float32 (N, C, h, w) each."""

    @abstractmethod
    def heads(self) -> list[nn.Module]:
        """Return what learns on top of the network."""

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return the network's parameters as the plan wants them moved, and those of the heads by Adam.

        A head is no classifier: orthogonalized steps would keep its rows apart that are alike for a reason.
        """
        groups = optimizer.parameter_groups(
            self.network, weight_decay=plan.weight_decay, optimizer=plan.optimizer, head_rate=plan.head_rate
        )
        rate = 1.0 if plan.optimizer == "adam" else _HEAD_RATE / plan.learning_rate
        for head in self.heads():
            for group in optimizer.parameter_groups(head, weight_decay=plan.weight_decay, optimizer="adam"):
                groups.append({**group, "rate": rate})
        return groups

    def deployable(self) -> nn.Module:
        """Return the network below the head."""
        return self.network


def projector(dimensions: int, hidden: int, outputs: int) -> nn.Sequential:
    """Return what brings features to where they are compared: two layers, (N, D) to (N, outputs).

    Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020, §4.2.
    """
    return nn.Sequential(
        nn.Linear(dimensions, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


def side_taken(network: nn.Module, *, channels: int, size: int, side: int) -> int:
    """Return the side at which a network is shown parts of pictures: `side`, or `size` if it takes no other.

    Args:
        network: Normalized images to features; its mode is put back.
        channels: Of the pictures.
        size: Side that it was built for, in pixels.
        side: Of the parts.
    """
    mode = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, channels, side, side))
    except (AssertionError, RuntimeError, ValueError):  # timm asserts, torch finds that shapes do not fit
        return size
    finally:
        network.train(mode)
    return side


def at_side(images: Tensor, side: int) -> Tensor:
    """Return pictures (N, C, h, h) brought to another side, channels innermost in memory."""
    if images.shape[-1] != side:
        images = F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)
    return images.contiguous(memory_format=torch.channels_last)
