"""`foveal search evaluate`: do the features bring pictures of one class together?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.embedder import unit
from foveal.bundle.session import Float32
from foveal.core.errors import DataError
from foveal.core.progress import Progress, silent
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.flows._labelled import Int64, labelled
from foveal.flows.search_index import Backbone
from foveal.metrics.average_precision import average_precision
from foveal.metrics.clustered_mean import clustered_mean
from foveal.metrics.map_at_r import map_at_r
from foveal.metrics.recall_at_k import recall_at_k

SCHEMA = "foveal.search.evaluate/1"
MOST = 2_000  # queries; more make the intervals hardly narrower
_BLOCK = 256  # queries that are ranked together
_KS = (1, 5, 10)
_FEW = 5  # classes below which drawing whole classes says nothing: there the queries are drawn

Float64 = NDArray[np.float64]


def evaluate(
    backbone: Backbone,
    data: Path,
    *,
    split: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Ask for each picture of a labelled data set which others are like it, and return the document.

    The picture itself is not among its results. The classes should be such that the backbone has not seen:
    of classes that it was trained on it knows more than of others.

    Args:
        backbone: What makes the features.
        data: Labelled pictures.
        split: Only the pictures of this one; None: all.
        seed: Which pictures are asked about where there are more than 2,000, and how ties are broken.
        threads: Pieces at once; None: all processors we may use.
        progress: Told about pictures and queries.

    Raises:
        DataError: The data cannot be read, or has one class; `no_partner`: no class has two pictures.
    """
    found = labelled(data, backbone, split=split, threads=threads, progress=progress)
    counts = np.bincount(found.labels)
    paired = np.flatnonzero(counts[found.labels] > 1)
    if len(paired) == 0:
        raise DataError(f"no class in {data} has two pictures", code="no_partner", path=data)
    queries = np.sort(stream(seed, "queries").permutation(paired)[:MOST])
    chance = (counts[found.labels[queries]] - 1) / (len(found.labels) - 1)
    return {
        "schema": SCHEMA,
        "ok": True,
        "data": str(data),
        "split": split,
        "backbone": {"source": found.embedder.source, "digest": found.embedder.digest},
        "dimensions": found.embedder.dimensions,
        "images": len(found.labels),
        "classes": int((counts > 0).sum()),
        "queries": len(queries),
        "without_a_partner": len(found.labels) - len(paired),
        **found.about,
        "metrics": measured(found.features, found.labels, queries, seed=seed, progress=progress),
        "baseline": {
            "pixels": measured(found.pixels, found.labels, queries, seed=seed, progress=progress),
            "chance": {"recall_at_1": float(chance.mean())},
        },
    }


def measured(
    features: Float32, labels: Int64, queries: Int64, *, seed: int = 0, progress: Progress = silent
) -> dict[str, dict[str, Any]]:
    """Return recall at 1, 5 and 10, mean average precision and MAP@R, each with interval and n.

    Args:
        features: float32 (N, D), of any length; the score is the cosine.
        labels: int64 (N,).
        queries: Rows that are asked about, each of a class with two pictures at least, int64 (Q,).
        seed: Of resampling and ties.
        progress: Told about the queries.
    """
    units = unit(features)
    # Equal scores come in random order: in that of the files the first class would be found.
    order = stream(seed, "ties").permutation(len(units))
    parts: dict[str, list[Float64]] = {}
    for at in range(0, len(queries), _BLOCK):
        some = queries[at : at + _BLOCK]
        for name, values in _values(_relevant(units, labels, some, order)).items():
            parts.setdefault(name, []).append(values)
        progress("ranking", min(at + _BLOCK, len(queries)), len(queries))
    asked = labels[queries]
    units_drawn = asked if len(np.unique(asked)) >= _FEW else np.arange(len(asked))
    means: Mapping[str, Measured] = {
        name: clustered_mean(np.concatenate(values), units_drawn, seed=seed) for name, values in parts.items()
    }
    return {name: one.as_json() for name, one in means.items()}


def _relevant(units: Float32, labels: Int64, queries: Int64, order: Int64) -> NDArray[np.bool_]:
    """Return whether each result, the most alike first, is of the query's class; none is itself, (Q, N-1)."""
    scores = units[queries] @ units[order].T
    scores[order[None] == queries[:, None]] = -np.inf
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :-1]
    relevant: NDArray[np.bool_] = labels[order][ranked] == labels[queries][:, None]
    return relevant


def _values(relevant: NDArray[np.bool_]) -> dict[str, Float64]:
    recalls = {f"recall_at_{k}": recall_at_k(relevant, k) for k in _KS}
    return {**recalls, "map": average_precision(relevant), "map_at_r": map_at_r(relevant)}
