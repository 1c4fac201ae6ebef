"""Pictures that pull the features of their class in a direction of their own, as poisoned ones do.

Source: Tran, Li & Madry, "Spectral Signatures in Backdoor Attacks", 2018 (https://arxiv.org/abs/1811.00636),
algorithm 1: the features of a class are centred and projected on their top right singular vector. The paper
then removes a fixed share, poisoned or not; here only what lies outside the bulk of its class is flagged.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.audit._principal import principal
from foveal.audit.tails import FEWEST, bulk

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Signatures:
    """How far out each picture lies among those of its class.

    Attributes:
        distances: Along the direction in which the class varies most, as a multiple of where its bulk ends,
            float64 (N,); 0 in classes that are not judged.
        judged: Classes of at least 20 pictures, rising.
    """

    distances: NDArray[np.float64] = field(repr=False)
    judged: tuple[int, ...]

    @property
    def flagged(self) -> Int64:
        """The pictures outside, the farthest first, int64 (F,)."""
        outside = np.flatnonzero(self.distances > 1)
        return np.asarray(outside[np.argsort(-self.distances[outside], kind="stable")])


def spectral_signatures(features: NDArray[np.floating], labels: Int64) -> Signatures:
    """Return which pictures lie outside along the direction in which their class varies most.

    Null: the projections of every class are one heap with tails no heavier than exponential; then anything at
    all is flagged with a chance of 1 % (`tails`). A natural subgroup or an outlier lies outside, too.

    Args:
        features: What the network decides from, float (N, D).
        labels: The classes, int64 (N,).
    """
    names, counts = np.unique(labels, return_counts=True)
    judged = tuple(names[counts >= FEWEST].tolist())
    distances = np.zeros(len(labels))
    for label in judged:
        rows = np.flatnonzero(labels == label)
        along = principal(features[rows], most=1)[:, 0]
        distances[rows] = np.abs(bulk(along, heaps=len(judged)).distances(along))
    return Signatures(distances, judged)
