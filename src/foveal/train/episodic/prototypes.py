"""Prototypical networks: a class is the mean of what a backbone makes of its support pictures.

Source: Snell, Swersky & Zemel, "Prototypical Networks for Few-shot Learning", 2017, equations 1 and 2.
Distances are squared Euclidean, for which the mean is the right representative (§2.3 there); cosines are not.
"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.train.episodic._episodic import Episodic
from foveal.train.episodic._normalization import statistics_of
from foveal.train.episodic._usual import Usual
from foveal.train.setting import Setting

SETTINGS: dict[str, Setting] = {}
USUAL = Usual(
    name="prototypical networks",
    model="conv4",
    way=60,
    tasks=1,
    query=5,
    steps=300,
    optimizer="muon",
    learning_rate=0.1,
)


class Prototypes(Episodic):
    """See the module.

    Batch norms see a whole step while they learn, and answer with what they learned.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Mapping[str, float],
        preprocess: Preprocess,
        augmentation: Mapping[str, float] | None = None,
    ) -> None:
        """Hold what is trained; as `Episodic`."""
        super().__init__(network, settings=settings, preprocess=preprocess, augmentation=augmentation)
        self.backbone.to(memory_format=torch.channels_last)

    def answers(
        self,
        support: Tensor,
        labels: Tensor,
        query: Tensor,
        *,
        way: int,
        steps: int | None = None,
        transductive: bool = False,
    ) -> Tensor:
        """Return minus the squared distances to the prototypes, (T, Q, W); see `Episodic.answers`."""
        if transductive:
            each = [
                self._features(s[None], q[None], all_at_once=True)
                for s, q in zip(support, query, strict=True)
            ]
            known, asked = (torch.cat(parts) for parts in zip(*each, strict=True))
        else:
            known, asked = self._features(support, query, all_at_once=False)
        return distances(known, labels, asked, way=way)

    def compared(self, way: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """Return `distances` for so many classes."""
        return partial(distances, way=way)

    def _features(self, support: Tensor, query: Tensor, *, all_at_once: bool) -> tuple[Tensor, Tensor]:
        """Return features (T, S, D) and (T, Q, D)."""
        pictures = torch.cat([support, query], dim=1)
        tasks, count = pictures.shape[:2]
        with statistics_of(self.backbone, tasks * count if all_at_once else None):
            features = self.backbone(pictures.flatten(0, 1)).reshape(tasks, count, -1)
        known, asked = features.split([support.shape[1], query.shape[1]], dim=1)
        return known, asked


def distances(known: Tensor, labels: Tensor, asked: Tensor, *, way: int) -> Tensor:
    """Return minus the squared Euclidean distance of features to the mean of each class, (T, Q, W).

    Args:
        known: Features of the support sets (T, S, D).
        labels: Their classes, int64 (T, S), each of 0 to W - 1 present.
        asked: Features of the queries (T, Q, D).
        way: W.
    """
    of_class = torch.nn.functional.one_hot(labels, way).to(known.dtype)  # (T, S, W)
    means = of_class.mT @ known / of_class.sum(1)[..., None]  # (T, W, D)
    return -(asked[:, :, None] - means[:, None]).square().sum(-1)
