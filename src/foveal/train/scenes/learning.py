"""What objectives have in common that teach a network where something is."""

from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.core import catalog
from foveal.data.preprocess import Preprocess
from foveal.data.scene import VOID
from foveal.models import Architecture
from foveal.train.objective import Batch, Losses, Objective
from foveal.train.plan import Plan
from foveal.train.scenes import objectives
from foveal.train.scenes._groups import groups
from foveal.train.scenes._views import moved, recoloured
from foveal.train.scenes.annotations import Boxes
from foveal.train.scenes.geometry import Moves, clipped, mosaic

_WHOLE = 0.67  # share of the run after which pictures are no longer put together


class SceneObjective(Protocol):
    """A class of `objectives`; called, it returns what is trained.

    Attributes:
        names: What a plan may call it, the usual name first.
        alone: Those of them after which no two answers mean the same object.
        of_attributes: Whether it teaches what is said of objects beside their class.
    """

    names: ClassVar[tuple[str, ...]]
    alone: ClassVar[frozenset[str]]
    of_attributes: ClassVar[bool]

    def __call__(self, network: Any, truth: Any, *, preprocess: Preprocess, plan: Plan) -> Objective:
        """Return the objective of a plan.

        Args:
            network: What learns.
            truth: Of all training pictures, by row: `Boxes`, class maps uint8 (N, H, W), or `OutlineTruth`.
            preprocess: Gives the normalization.
            plan: Names the objective, and gives the strengths of changes.
        """
        ...


def teaching(architecture: Architecture) -> SceneObjective:
    """Return what teaches an architecture."""
    found: SceneObjective = catalog.find(objectives, architecture.learns)
    return found


class Detecting(Objective):
    """What a detector learns from: moved and recoloured pictures with what is where on them.

    Attributes:
        names, alone, of_attributes: See `SceneObjective`.
        network: What is trained, and what ships.
    """

    names: ClassVar[tuple[str, ...]]
    alone: ClassVar[frozenset[str]] = frozenset()
    of_attributes: ClassVar[bool] = False

    def __init__(self, network: nn.Module, truth: Boxes, *, preprocess: Preprocess, plan: Plan) -> None:
        """Hold what is trained; see `SceneObjective`."""
        super().__init__()
        self.network: Any = network.to(memory_format=torch.channels_last)
        self.truth = truth
        self.preprocess = preprocess
        self.augmentation = plan.augmentation

    @abstractmethod
    def loss_of(self, images: Tensor, truth: Boxes) -> Tensor:
        """Return the loss of pictures, float32 (N, C, H, W), with what is where on them."""

    @torch.no_grad()
    def views(self, batch: Batch) -> tuple[Tensor, Boxes]:
        """Return what the network is shown, float32 (N, C, H, W), and what is where on it."""
        with torch.autocast("cpu", enabled=False):
            images, moves = moved(batch, self.preprocess, self.augmentation)
            images, truth = self.composed(images, moves, batch)
            return recoloured(images, batch, self.augmentation), truth

    @torch.no_grad()
    def layers(
        self, batch: Batch, numbers: NDArray[np.uint16], regions: NDArray[np.uint8] | None = None
    ) -> tuple[Tensor, Boxes, Tensor, Tensor | None]:
        """Return the same, and numbers and classes of their pixels, int64 (N, H, W).

        Args:
            batch: Gives rows and draws.
            numbers: Of the object at each pixel of all training pictures, (N, H, W), 0 where none is.
            regions: Classes of their pixels; None: these are not learned.
        """
        with torch.autocast("cpu", enabled=False):
            images, moves = moved(batch, self.preprocess, self.augmentation)
            rows = batch.rows.numpy()
            own = torch.from_numpy(numbers[rows].astype(np.float32))
            apart = torch.arange(len(own))[:, None, None] * self.truth.most
            behind = [moves.maps(torch.where(own > 0, own + apart, own), outside=0)]
            if regions is not None:
                behind.append(moves.maps(torch.from_numpy(regions[rows].astype(np.float32)), outside=VOID))
            stacked = torch.cat([images, torch.stack(behind, dim=1)], dim=1)
            stacked, truth = self.composed(stacked, moves, batch)
            channels = images.shape[1]
            seen = recoloured(stacked[:, :channels], batch, self.augmentation)
            found = stacked[:, channels:].long()
            return seen, truth, found[:, 0], found[:, 1] if regions is not None else None

    def composed(self, layers: Tensor, moves: Moves, batch: Batch) -> tuple[Tensor, Boxes]:
        """Return moved pictures, some put together of four, with their objects, cut to the frame.

        Args:
            layers: Moved pictures (N, C, H, W), behind whose channels moved maps may lie.
            moves: How they were moved.
            batch: Gives the rows of the objects. No two of all its pictures have one number.
        """
        truth = self.truth.rows(batch.rows)
        apart = torch.arange(len(truth))[:, None] * self.truth.most
        truth = replace(truth, boxes=moves.boxes(truth.boxes), numbers=truth.numbers + apart)
        height, width = layers.shape[2:]
        truth = clipped(truth, torch.tensor([0.0, 0.0, width, height]))
        share = self.augmentation["mosaic"]
        if share and batch.share < _WHOLE:
            return mosaic(layers, truth, share, batch.generator)
        return layers, truth

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of one step."""
        images, truth = self.views(batch)
        truth = truth.rows(torch.arange(len(truth))[batch.part])
        return Losses(self.loss_of(images[batch.part], truth), torch.zeros(()), 0)

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return the body's parameters as the plan wants them moved, and the layers that answer by Adam."""
        return groups(self.network, plan)

    def deployable(self) -> nn.Module:
        """Return the network."""
        network: nn.Module = self.network
        return network
