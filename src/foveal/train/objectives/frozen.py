"""Learn the labels of clips from what a frozen backbone made of their frames beforehand."""

import torch
from torch import Tensor

from foveal.tasks.classify import learn
from foveal.train.objective import Batch
from foveal.train.objectives.supervised import Supervised


class Frozen(Supervised):
    """Cross-entropy, on features in place of pictures.

    What is there of each clip are the features of several views of it: float32 (M, V, T, B), in place of the
    pictures. Each pass over the data shows the next view of every clip. Nothing else is changed by chance.
    """

    forward = Supervised.forward

    @torch.no_grad()
    def views(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return features (N, T, B) and target shares (N, K)."""
        count = batch.images.shape[1]
        seen = batch.images[torch.arange(len(batch.images)), (batch.passes + batch.rows) % count]
        return seen, learn.targets(batch.labels, classes=self.classes, smoothing=self.label_smoothing)
