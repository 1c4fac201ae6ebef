"""Learn to say what is where by the loss that a network brings along: the objective of torchvision's."""

import torch
from torch import Tensor

from foveal.train.scenes.annotations import Boxes
from foveal.train.scenes.learning import Detecting


class OwnLoss(Detecting):
    """The network's `loss(images, boxes, labels)`, with boxes (M, 4) and labels (M,) of each picture."""

    names = ("own_loss",)

    def loss_of(self, images: Tensor, truth: Boxes, numbers: Tensor | None = None) -> Tensor:
        """Return the loss of pictures; see `Detecting`.

        Args:
            images: Normalized (N, C, H, W).
            truth: The objects.
            numbers: Of the object at each pixel, int64 (N, H, W); None: only boxes are learned.
        """
        there, images = truth.weights > 0, _hidden(images, truth)
        boxes = [some[kept] for some, kept in zip(truth.boxes, there, strict=True)]
        labels = [some[kept] for some, kept in zip(truth.labels, there, strict=True)]
        more = []
        if numbers is not None:
            own = [some[kept, None, None] for some, kept in zip(truth.numbers, there, strict=True)]
            more = [[(each == some).view(torch.uint8) for each, some in zip(numbers, own, strict=True)]]
        loss: Tensor = self.network.loss(images, boxes, labels, *more)
        return loss


def _hidden(images: Tensor, truth: Boxes) -> Tensor:
    """Return pictures whose ignored objects are as grey as the mean, but where others lie over them.

    A loss that knows no such objects would learn them as background.
    """
    height, width = images.shape[2:]
    ignored = truth.weights < 0
    if not bool(ignored.any()):
        return images
    x, y = torch.arange(width) + 0.5, torch.arange(height)[:, None] + 0.5
    result = images.clone()
    for row in ignored.any(1).nonzero().flatten().tolist():
        hidden = torch.zeros(height, width, dtype=torch.bool)
        # What counts comes last, and is seen.
        for chosen, grey in ((ignored[row], True), (truth.weights[row] > 0, False)):
            for left, top, right, bottom in truth.boxes[row, chosen].tolist():
                hidden[(x > left) & (x < right) & (y > top) & (y < bottom)] = grey
        result[row, :, hidden] = 0.0
    return result


own_loss = OwnLoss
