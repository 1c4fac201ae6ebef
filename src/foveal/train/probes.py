"""How good features are while they are learned: neighbours and planes on labelled pictures, and collapse.

Labels are read here alone; nothing of what is measured goes back into the training.
Sources: Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", 2018, §3.4
(the vote of neighbours); Roy & Vetterli, "The effective rank", 2007; Garrido et al., "RankMe", 2023.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.core.batches import at_once
from foveal.core.types import Measured
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import evenly_spaced
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.classify import learn
from foveal.train.examples import Examples
from foveal.train.planes import cross_entropy, planes

NEIGHBOURS, _SHARPNESS = 20, 0.1  # that vote, and what their similarity is divided by
MOST_GALLERY, MOST_QUERIES = 5000, 2000  # pictures: a probe should not take longer than what it watches
_COST = 0.01  # of an error, beside the penalty of a plane
_PIXEL_SIDE = 32  # larger pictures are averaged down to it where pixels are compared
LEAST_SPREAD, LEAST_RANK = 0.1, 2.0


@dataclass(frozen=True)
class Labelled:
    """Labelled pictures at model size.

    Attributes:
        gallery: Whose labels are known.
        queries: That are asked about; none of them is learned from.
        classes: Names.
    """

    gallery: Examples
    queries: Examples
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Probe:
    """What a network's features are good for.

    Attributes:
        spread: Mean deviation of unit features over the pictures, as a multiple of that of directions which
            are spread evenly: 1 for those, 0 where all pictures get the same feature.
        rank: Effective rank of the centred features, from 1 to their number.
        knn: Share of queries that the vote of their neighbours names rightly; None:
            nothing is labelled.
        linear: The same of planes that are fitted to the features of the gallery.
    """

    spread: float
    rank: float
    knn: Measured | None = None
    linear: Measured | None = None

    @property
    def collapsed(self) -> bool:
        """Whether pictures can hardly be told apart by their features."""
        return self.spread < LEAST_SPREAD or self.rank < LEAST_RANK

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {
            "spread": round(self.spread, 4),
            "rank": round(self.rank, 2),
            "collapsed": self.collapsed,
            "knn": None if self.knn is None else asdict(self.knn),
            "linear": None if self.linear is None else asdict(self.linear),
        }


@dataclass(frozen=True)
class Prober:
    """Asks the same pictures again and again.

    Attributes:
        pictures: Without labels, for spread and rank; at most 2,000 are looked at.
        preprocess: Gives the normalization.
        labelled: For neighbours and planes; None: there are none.
    """

    pictures: Examples
    preprocess: Preprocess
    labelled: Labelled | None = None

    def of(self, network: nn.Module) -> Probe:
        """Return what a network's features are worth; its mode is put back afterwards.

        Args:
            network: Normalized images (N, C, H, W) to features (N, D).
        """
        mode = network.training
        network.eval()
        try:
            if self.labelled is None:
                return _alone(self.features(network, _some(self.pictures, MOST_QUERIES)))
            gallery = self.features(network, _some(self.labelled.gallery, MOST_GALLERY))
            queries = self.features(network, _some(self.labelled.queries, MOST_QUERIES))
        finally:
            network.train(mode)
        return self._compared(gallery, queries)

    def of_pixels(self) -> Probe:
        """Return what the pixels themselves are worth: what features have to beat."""
        if self.labelled is None:
            return _alone(_pixels(_some(self.pictures, MOST_QUERIES)))
        gallery = _pixels(_some(self.labelled.gallery, MOST_GALLERY))
        return self._compared(gallery, _pixels(_some(self.labelled.queries, MOST_QUERIES)))

    def _compared(self, gallery: Tensor, queries: Tensor) -> Probe:
        assert self.labelled is not None
        known = _labels(self.labelled.gallery, MOST_GALLERY)
        asked = _labels(self.labelled.queries, MOST_QUERIES)
        classes = len(self.labelled.classes)
        alone = _alone(queries)
        near = vote(gallery, known, queries, classes=classes)
        flat = fitted_planes(gallery, known, queries, classes=classes)
        return Probe(alone.spread, alone.rank, _share(near == asked), _share(flat == asked))

    @torch.no_grad()
    def features(self, network: nn.Module, images: UInt8) -> Tensor:
        """Return features in float32, (N, D), of pictures at model size, uint8 (N, H, W, C)."""
        batch = at_once(self.preprocess.shape)
        parts = [
            network(learn.normalize(torch.from_numpy(images[i : i + batch]), self.preprocess))
            for i in range(0, len(images), batch)
        ]
        return torch.cat(parts).float()


def vote(gallery: Tensor, labels: Tensor, queries: Tensor, *, classes: int) -> Tensor:
    """Return the class that the nearest of the gallery vote for, int64 (M,).

    Each of the 20 nearest by cosine counts exp(similarity / 0.1).

    Args:
        gallery: Features (N, D).
        labels: Of the gallery, int64 (N,).
        queries: Features (M, D).
        classes: K.
    """
    similar = F.normalize(queries, dim=1) @ F.normalize(gallery, dim=1).T
    near, places = similar.topk(min(NEIGHBOURS, len(gallery)), dim=1)
    votes = torch.zeros(len(queries), classes)
    return votes.scatter_add_(1, labels[places], (near / _SHARPNESS).exp()).argmax(dim=1)


def fitted_planes(gallery: Tensor, labels: Tensor, queries: Tensor, *, classes: int) -> Tensor:
    """Return the class that planes say which are fitted to the gallery, int64 (M,); see `vote`."""
    scale, mean = torch.std_mean(gallery, dim=0)
    # As a share of the largest: an untrained network's features may be a billionth, and tell all the same.
    scale = torch.where(scale <= 1e-6 * scale.max(), torch.ones_like(scale), scale)
    fitted = planes((gallery - mean) / scale, labels, classes=classes, cost=_COST, loss=cross_entropy)
    return (((queries - mean) / scale) @ fitted[:-1] + fitted[-1]).argmax(dim=1)


def spread(features: Tensor) -> float:
    """Return the mean deviation of unit features, 1 where directions are spread evenly.

    Args:
        features: (N, D), N ≥ 2.

    >>> round(spread(torch.eye(4)), 2), spread(torch.ones(3, 4))
    (1.0, 0.0)
    """
    unit = F.normalize(features, dim=1)
    return float(unit.std(dim=0).mean() * unit.shape[1] ** 0.5)


def effective_rank(features: Tensor) -> float:
    """Return exp of the entropy of the singular values of centred features, as shares of their sum.

    Args:
        features: (N, D), N ≥ 2.
    """
    values = torch.linalg.svdvals((features - features.mean(dim=0)).double())
    total = float(values.sum())
    if total <= 1e-9 * float(features.abs().max()):
        return 1.0
    shares = values / total
    return float(torch.special.entr(shares).sum().exp())


def _alone(features: Tensor) -> Probe:
    return Probe(spread(features), effective_rank(features))


def _share(right: Tensor) -> Measured:
    return clopper_pearson(int(right.sum()), len(right))


def _some(examples: Examples, most: int) -> UInt8:
    found: UInt8 = np.asarray(examples.images[_rows(examples, most)])
    return found


def _labels(examples: Examples, most: int) -> Tensor:
    return torch.from_numpy(examples.labels[_rows(examples, most)])


def _rows(examples: Examples, most: int) -> NDArray[np.int64]:
    rows: NDArray[np.int64] = examples.indices[evenly_spaced(len(examples), at_most=most)]
    return rows


def _pixels(images: UInt8) -> Tensor:
    """Return pictures as rows of numbers; large ones are averaged down first."""
    found = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    if found.shape[2] > _PIXEL_SIDE:
        found = F.adaptive_avg_pool2d(found, _PIXEL_SIDE)
    return found.flatten(1)
