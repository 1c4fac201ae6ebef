"""`foveal search faces`: can the features tell whether two pictures show the same person? And `verify`."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle.embedder import unit
from foveal.core import files
from foveal.core.errors import DataError, WriteError
from foveal.core.progress import Progress, silent
from foveal.flows._labelled import Labelled, labelled
from foveal.flows._verification import FAR, Verified, verified
from foveal.flows.search_index import Backbone
from foveal.search.exact import exact
from foveal.search.file import IndexFile
from foveal.search.whitening import whitening

SCHEMA = "foveal.search.faces/1"
VERIFY_SCHEMA = "foveal.search.verify/1"
THRESHOLD = "threshold"


def faces(
    backbone: Backbone,
    data: Path,
    *,
    out: Path | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> tuple[dict[str, Any], dict[str, Verified]]:
    """Measure verification on people that were not seen, and return the document and what it is made of.

    Three ways are measured: grey pixels, the features as they are, and the features after a projection that
    is learned from other people.

    Args:
        backbone: What makes the features.
        data: Pictures in which a class is a person.
        out: A new index without pictures to write: of features that are projected as all people of the data
            suggest, with the threshold at which one pair of different people in a hundred is accepted.
        seed: How people are divided, and of the intervals.
        threads: Pieces at once; None: all processors we may use.
        progress: Told about the pictures.

    Raises:
        DataError: The data cannot be read; `few_people`, `no_pairs`.
        WriteError: `out` is there, or cannot be written.
    """
    if out is not None and files.is_there(out):
        raise WriteError(f"{out} is there already", hint="choose another name", path=out)
    found = labelled(data, backbone, split=None, threads=threads, progress=progress)
    ways = {
        "pixels": verified(found.pixels, found.labels, learn=False, seed=seed),
        "features": verified(found.features, found.labels, learn=False, seed=seed),
        "projected": verified(found.features, found.labels, learn=True, seed=seed),
    }
    if out is not None:
        _write(out, found, ways["projected"])
    document = {
        "schema": SCHEMA,
        "ok": True,
        "data": str(data),
        "backbone": {"source": found.embedder.source, "digest": found.embedder.digest},
        "images": len(found.labels),
        "people": len(np.unique(found.labels)),
        "ways": {name: way.numbers for name, way in ways.items()},
        "index": None if out is None else str(out),
    }
    return document, ways


def _write(out: Path, found: Labelled, measured: Verified) -> None:
    from foveal.export.embedding import projected  # here: it needs the training side

    learned = whitening(found.features, found.labels)
    source = f"{found.embedder.source}, projected for {len(np.unique(found.labels))} people"
    limit = measured.numbers[f"at_far_{FAR:g}"]["threshold"]
    with IndexFile.create(out, projected(found.embedder, learned, source=source)) as index:
        if limit is not None:
            index.note(THRESHOLD, json.dumps({"value": limit, "false_accepts": FAR}).encode())


def verify(path: Path, one: bytes, other: bytes, *, threshold: float | None = None) -> dict[str, Any]:
    """Say how alike two pictures are, and whether they show the same; the order of both changes nothing.

    Args:
        path: An index: what makes the features, and the threshold that it holds. It may have no pictures.
        one: Content of a picture file.
        other: Of another.
        threshold: From which score on they are the same; None: that of the index.

    Raises:
        NotFoundError: There is no such index.
        DataError: The index, or a picture, cannot be used; or it sees nothing in one.
    """
    with IndexFile.open(path) as index:
        embedder, noted = index.embedder, index.noted(THRESHOLD)
    images = np.stack([embedder.preprocess.from_bytes(content) for content in (one, other)])
    features = np.concatenate([embedder.features(image[None]) for image in images])
    if not np.linalg.norm(features, axis=1).all():
        raise DataError("the features of a picture are all 0: it is like nothing", code="no_features")
    units = unit(features)
    limit = threshold if threshold is not None or noted is None else float(json.loads(noted)["value"])
    score = float(exact(units[:1], units[1])[0])
    return {
        "schema": VERIFY_SCHEMA,
        "ok": True,
        "index": str(path),
        "score": round(score, 6),
        "threshold": limit,
        "same": None if limit is None else score >= limit,
    }
