"""Learn to say what is where by the loss that a network brings along: the objective of torchvision's."""

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
        there = truth.weights > 0
        boxes = [some[kept] for some, kept in zip(truth.boxes, there, strict=True)]
        labels = [some[kept] for some, kept in zip(truth.labels, there, strict=True)]
        more = []
        if numbers is not None:
            own = [some[kept, None, None] for some, kept in zip(truth.numbers, there, strict=True)]
            more = [[(each == some).byte() for each, some in zip(numbers, own, strict=True)]]
        loss: Tensor = self.network.loss(images, boxes, labels, *more)
        return loss


own_loss = OwnLoss
