"""Learn the class of each pixel from class maps: the objective of segmenters."""

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.data.scene import VOID
from foveal.train.objective import Batch, Losses, Objective
from foveal.train.plan import Plan
from foveal.train.scenes._groups import groups
from foveal.train.scenes._views import moved, recoloured

_RARE = 1.02  # keeps the weight of a class that is hardly there finite: Paszke et al., "ENet", 2016, §5.2


class Regions(Objective):
    """Cross-entropy of all pixels of which something is said; rare classes count more."""

    names = ("regions",)
    alone: ClassVar[frozenset[str]] = frozenset()
    of_attributes: ClassVar[bool] = False

    def __init__(
        self, network: nn.Module, truth: NDArray[np.uint8], *, preprocess: Preprocess, plan: Plan
    ) -> None:
        """Hold what is trained; see `SceneObjective`. The class maps are usually memory-mapped."""
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.maps = truth
        self.preprocess = preprocess
        self.augmentation = plan.augmentation
        self.weights: Tensor
        self.register_buffer(
            "weights", torch.from_numpy(class_weights(truth, plan.arguments["classes"])), persistent=False
        )

    @torch.no_grad()
    def views(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what the network is shown, float32 (N, C, H, W), and the class of each pixel, (N, H, W)."""
        with torch.autocast("cpu", enabled=False):
            images, moves = moved(batch, self.preprocess, self.augmentation)
            maps = moves.maps(torch.from_numpy(self.maps[batch.rows.numpy()]).float(), outside=VOID)
            return recoloured(images, batch, self.augmentation), maps.long()

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many pixels were right."""
        images, maps = (view[batch.part] for view in self.views(batch))
        logits = self.network(images)
        with torch.autocast("cpu", enabled=False):
            return pixel_losses(logits.float(), maps, self.weights)

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return the body's parameters as the plan wants them moved, and the layer that answers by Adam."""
        return groups(self.network, plan)

    def deployable(self) -> nn.Module:
        """Return the network."""
        return self.network


def pixel_losses(logits: Tensor, maps: Tensor, weights: Tensor) -> Losses:
    """Return the cross-entropy of all pixels of which something is said, and how many are right.

    Args:
        logits: Of classes, float32 (N, K, h, w), smaller than the maps by a whole factor or not.
        maps: The class of each pixel, int64 (N, H, W), `VOID` where nothing is said.
        weights: How much a pixel of each class counts, (K,).
    """
    whole = F.interpolate(logits, size=maps.shape[1:], mode="bilinear", align_corners=False)
    said = maps != VOID
    total = F.cross_entropy(whole, maps, weight=weights, ignore_index=VOID, reduction="sum")
    heavy = weights[maps.where(said, 0)] * said
    # Of no pixel at all the mean would be no number.
    loss = total / heavy.sum().clamp(min=weights.min())
    return Losses(loss, ((whole.argmax(1) == maps) & said).sum(), int(said.sum()))


def class_weights(maps: NDArray[np.uint8], classes: int) -> NDArray[np.float32]:
    """Return 1 / ln(1.02 + share of the pixels) for each class, with mean 1, float32 (K,).

    Args:
        maps: uint8 (N, H, W).
        classes: K.
    """
    counts = sum(
        (np.bincount(one.ravel(), minlength=256)[:classes] for one in maps), np.zeros(classes, np.int64)
    )
    weights = 1 / np.log(_RARE + counts / max(1, counts.sum()))
    scaled: NDArray[np.float32] = (weights / weights.mean()).astype(np.float32)
    return scaled


regions = Regions
