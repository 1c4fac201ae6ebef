"""A labelled data set as features, with what pixels alone would know beside it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.audit.glance import Glances
from foveal.audit.near_duplicates import Cluster, clusters, near_duplicates
from foveal.bundle.embedder import Embedder
from foveal.bundle.session import Float32
from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.data import decode, opening
from foveal.data.dataset import Dataset
from foveal.data.inventory import content_hashes
from foveal.flows._embedded import embedded
from foveal.flows.search_index import Backbone, embedder_for

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """Features of the pictures that could be used.

    Attributes:
        dataset: All pictures.
        embedder: What made the features.
        rows: Of each in the data set, int64 (N,).
        labels: int64 (N,).
        features: float32 (N, D).
        pixels: Each picture in 32 × 32 grey values, less their mean, float32 (N, 1024).
        near: Near copies among them.
        copies: How many more had the content of another, byte by byte.
        unusable: How many cannot be read.
    """

    dataset: Dataset = field(repr=False)
    embedder: Embedder
    rows: Int64 = field(repr=False)
    labels: Int64 = field(repr=False)
    features: Float32 = field(repr=False)
    pixels: Float32 = field(repr=False)
    near: tuple[Cluster, ...] = field(repr=False)
    copies: int
    unusable: int

    @property
    def about(self) -> dict[str, Any]:
        """What a document says of pictures that are not, or too easily, told apart."""
        return {
            "unusable": self.unusable,
            "copies": self.copies,
            "near_copies": {
                "groups": len(self.near),
                "pictures": sum(len(group.members) for group in self.near),
            },
        }

    @property
    def sources(self) -> list[str]:
        """What each is called."""
        return [self.dataset.sources[row] for row in self.rows]


def labelled(
    data: Path, backbone: Backbone, *, split: str | None, threads: int | None, progress: Progress
) -> Labelled:
    """Embed a labelled data set, each content of a class once: a copy always finds its copy.

    Args:
        data: Anything that `foveal check` recognizes.
        backbone: What makes the features.
        split: Only the pictures of this one; None: all.
        threads: Pieces at once.
        progress: Told about the pictures.

    Raises:
        DataError: The data cannot be read; `no_split`; `one_class`: there is nothing to tell apart.
    """
    dataset = opening.open(data, task=opening.CLASSIFY)
    there = np.arange(len(dataset)) if split is None else np.flatnonzero(np.array(dataset.splits) == split)
    if len(there) == 0:
        known = ", ".join(sorted({name for name in dataset.splits if name})) or "none"
        raise DataError(f"{data} has no split {split!r}; it has: {known}", code="no_split", path=data)
    embedder = embedder_for(backbone, dataset)
    hashes = content_hashes(dataset, progress=progress)
    told = [(content, label) for content, label in zip(hashes, dataset.labels.tolist(), strict=True)]
    first = {told[row]: row for row in reversed(there.tolist()) if hashes[row]}
    once = [row for row in there.tolist() if first.get(told[row], row) == row]
    parts = list(embedded(dataset, once, embedder, threads=threads, looks=True, progress=progress))
    rows = np.array([row for part in parts for row in part.rows], dtype=np.int64)
    labels = dataset.labels[rows]
    if len(np.unique(labels)) < 2:
        hint = "a folder for each kind of thing"
        raise DataError(f"{data} has pictures of one class only", code="one_class", hint=hint, path=data)
    glances = Glances.of(len(rows))
    for at, jpeg in enumerate(jpeg for part in parts for jpeg in part.looks):
        glances.look(at, decode.decode(jpeg, 1))
    grey = glances.thumbnails.reshape(len(rows), -1).astype(np.float32)
    return Labelled(
        dataset=dataset,
        embedder=embedder,
        rows=rows,
        labels=labels,
        features=np.concatenate([part.features for part in parts]),
        pixels=grey - grey.mean(axis=1, keepdims=True),
        near=tuple(clusters(near_duplicates(glances.thumbnails, progress=progress))),
        copies=len(there) - len(once),
        unusable=len(once) - len(rows),
    )
