"""What the detectors of torchvision need to be asked and taught as every other one here.

Their own forward chooses answers as the pictures say, which no graph with fixed shapes can follow, and moves
pictures and boxes to a size of its own, which is done before. So training calls it as it is, with its losses,
on pictures that stay as they are; what ships is `candidates`, made of its parts.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

_LEAST = 1e-30  # share of all other classes whose logarithm is finite


class _AsIs(nn.Module):
    """In place of torchvision's transform: pictures have their size and are normalized already."""

    def forward(self, images: Tensor, targets: Any = None) -> tuple[ImageList, Any]:
        return listed(images), targets

    def postprocess(self, found: Any, sizes: Any, original: Any) -> Any:
        return found


class InFloat(nn.Module):
    """Before a head of torchvision among the bases: its answers are float32, and so are losses and boxes."""

    def forward(self, given: Any) -> Any:
        """Return what the head answers."""
        return _float(super().forward(given))


def _float(answers: Any) -> Any:
    if isinstance(answers, Tensor):
        return answers.float()
    if isinstance(answers, dict):
        return {name: _float(one) for name, one in answers.items()}
    return type(answers)(map(_float, answers))


class TorchvisionDetector(nn.Module):
    """A detector of torchvision; subclasses name the layers that answer, and offer candidates.

    Attributes:
        detector: Torchvision's. Its backbone has what makes the maps as `maps`.
        anchors, strides: What makes the boxes that it starts from, and pixels between two places of each map.
        starts: These boxes, (P, 4): they follow from the size of the pictures.
        first_class: Number of the first class: 1 where torchvision counts the background as one.
    """

    first_class = 0

    def __init__(self, detector: Any, anchors: Any, *, size: Sequence[int], strides: Sequence[int]) -> None:
        """Take a detector over.

        Args:
            detector: Torchvision's.
            anchors: Makes the boxes that it starts from.
            size: Height and width of the pictures.
            strides: Pixels between two places of each of its maps.
        """
        super().__init__()
        self.detector = detector
        self.detector.transform = _AsIs()
        self.anchors, self.strides = anchors, tuple(strides)
        self.starts: Tensor
        self.register_buffer("starts", _starts(anchors, size, strides), persistent=False)

    def made_for(self, size: Sequence[int]) -> None:
        """Start from the boxes of pictures of another size; weights stay.

        Args:
            size: Height and width of the pictures.
        """
        self.starts = _starts(self.anchors, size, self.strides)

    @property
    def backbone(self) -> nn.Module:
        """What makes the maps, and may start from weights that are there."""
        backbone: nn.Module = self.detector.backbone.maps
        return backbone

    @abstractmethod
    def candidates(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes in pixels, (N, P, 4), and class logits (N, P, K), for normalized images."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the same."""
        return self.candidates(images)

    def loss(
        self,
        images: Tensor,
        boxes: Sequence[Tensor],
        labels: Sequence[Tensor],
        masks: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Return the sum of torchvision's losses.

        Args:
            images: Normalized (N, C, H, W).
            boxes: In pixels, (M, 4) of each picture.
            labels: int64 (M,) of each.
            masks: Which pixels are each object's, uint8 (M, H, W) of each; None: these are not learned.
        """
        targets = [
            {"boxes": some, "labels": names + self.first_class}
            for some, names in zip(boxes, labels, strict=True)
        ]
        for target, covered in zip(targets, masks or (), strict=masks is not None):
            target["masks"] = covered
        losses: dict[str, Tensor] = self.detector(images, targets)
        return torch.stack([loss.float() for loss in losses.values()]).sum()


def _starts(anchors: Any, size: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Return the boxes that a detector starts from, (P, 4); where only shapes are wanted, their shape."""
    grids = [tuple(math.ceil(side / stride) for side in size) for stride in strides]
    if torch.get_default_device().type == "meta":
        counts = anchors.num_anchors_per_location()
        return torch.empty(sum(h * w * n for (h, w), n in zip(grids, counts, strict=True)), 4)
    maps = [torch.empty(1, 1, *grid) for grid in grids]
    starts: Tensor = anchors(listed(torch.empty(1, 1, *size)), maps)[0]
    return starts


def listed(images: Tensor) -> ImageList:
    """Return pictures (N, C, H, W) as torchvision's detectors take them."""
    height, width = images.shape[2:]
    return ImageList(images, [(height, width)] * len(images))


def decoded(coder: Any, changes: Tensor, boxes: Tensor) -> Tensor:
    """Return boxes (N, P, 4) that differ from others, (P, 4) or (N, P, 4), as a box coder reads it."""
    count, places = changes.shape[:2]
    given = boxes.expand(count, places, 4).flatten(0, 1)
    moved: Tensor = coder.decode_single(changes.flatten(0, 1), given)
    return moved.reshape(count, places, 4)


def log_odds(logits: Tensor) -> Tensor:
    """Return the logarithm of p / (1 - p) for each class but the first, which is the background.

    Args:
        logits: Of K + 1 classes of which one is true, (…, K + 1).

    Returns:
        (…, K): what has p, the probability of the class, as its sigmoid.
    """
    shares = logits.softmax(-1)
    best = F.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)
    # 1 - p has no digits left where p is near 1: there it is the sum of all others.
    others = torch.where(best > 0, (shares * (1 - best)).sum(-1, keepdim=True), 1 - shares)
    odds = logits.log_softmax(-1) - others.clamp(min=_LEAST).log()
    return odds[..., 1:]
