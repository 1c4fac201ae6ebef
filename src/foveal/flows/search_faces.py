"""`foveal search faces`: can the features tell whether two pictures show the same person? And `verify`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle.embedder import Embedder, unit
from foveal.bundle.session import Float32
from foveal.core import files, runs
from foveal.core.errors import DataError, UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.flows._embedded import embedded
from foveal.flows._labelled import Labelled, labelled
from foveal.flows._verification import FAR, Verified, verified
from foveal.flows.search_index import BACKBONE, Backbone
from foveal.flows.search_query import pixels_of
from foveal.search import graph_file
from foveal.search.exact import exact
from foveal.search.file import IndexFile, is_index
from foveal.search.whitening import Whitening, whitening

SCHEMA = "foveal.search.faces/1"
VERIFY_SCHEMA = "foveal.search.verify/1"
THRESHOLD = "threshold"
FACE_SIZE = 144  # pixels; of 96 to 192, the one at which efficientnet-lite0 told 24 people apart best


def faces(  # noqa: PLR0913  # the option that replaces a file is of every command that writes one
    backbone: Backbone,
    data: Path,
    *,
    out: Path | None = None,
    force: bool = False,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> tuple[dict[str, Any], dict[str, Verified]]:
    """Measure verification on people that were not seen, and return the document and what it is made of.

    Four ways are measured: grey pixels, the features as they are, the features after a projection that is
    learned from other people, and so projected a map inside the network that still tells where each part of a
    face is; the last is left out where a network has no such map, and for an index, which keeps its features.

    Args:
        backbone: What makes the features.
        data: Pictures in which a class is a person.
        out: A new index without pictures to write: of the better of the two that learn, projected as all
            people of the data suggest, with the threshold at which one pair of different people in a hundred
            is accepted.
        force: Replace an index that is there.
        seed: How people are divided, and of the intervals.
        threads: Pieces at once; None: all processors we may use.
        progress: Told about the pictures.

    Raises:
        DataError: The data cannot be read; `few_people`, `no_pairs`; or `not_an_index`: something else is at
            `out`.
        WriteError: `would_overwrite`: `out` is there; or it cannot be written.
    """
    if out is not None and files.is_there(out):
        if not force:
            raise WriteError(f"{out} is there already", code="would_overwrite", hint="add --force", path=out)
        if not is_index(out):
            raise DataError(f"{out} is no index", code="not_an_index", hint="name another --out", path=out)
    backbone = _for_faces(backbone)
    found = labelled(data, backbone, split=None, threads=threads, progress=progress)
    ways, learned = _measured(found, backbone, seed=seed, threads=threads, progress=progress)
    best = min(learned, key=lambda name: float(ways[name].numbers["equal_error_rate"]["value"]))
    if out is not None:
        embedder, features = learned[best]
        people = len(np.unique(found.labels))
        source = f"{embedder.source}, projected for {people} people"
        _write(out, embedder, whitening(features, found.labels), ways[best].numbers, source, force=force)
    document = {
        "schema": SCHEMA,
        "ok": True,
        "data": str(data),
        "backbone": {"source": found.embedder.source, "digest": found.embedder.digest},
        "images": len(found.labels),
        "people": len(np.unique(found.labels)),
        **found.about,
        "ways": {name: way.numbers for name, way in ways.items()},
        "best": best,
        "index": None if out is None else str(out),
    }
    return document, ways


def _measured(
    found: Labelled, backbone: Backbone, *, seed: int, threads: int | None, progress: Progress
) -> tuple[dict[str, Verified], dict[str, tuple[Embedder, Float32]]]:
    """Return how well each way tells people apart, and embedder and features of those with a projection."""
    ways = {
        "pixels": verified(found.pixels, found.labels, learn=False, seed=seed),
        "features": verified(found.features, found.labels, learn=False, seed=seed),
        "projected": verified(found.features, found.labels, learn=True, seed=seed),
    }
    learned = {"projected": (found.embedder, found.features)}
    placed = _placed(backbone, found.embedder)
    if placed is not None:
        rows = found.rows.tolist()
        parts = embedded(found.dataset, rows, placed, threads=threads, progress=progress)
        learned["places"] = placed, np.concatenate([part.features for part in parts])
        ways["places"] = verified(learned["places"][1], found.labels, learn=True, seed=seed)
    return ways, learned


def _for_faces(backbone: Backbone) -> Backbone:
    """Return the backbone at the size that suits faces, where none is said and nothing has its own."""
    named = backbone.named or BACKBONE
    own = backbone.size is not None or files.is_there(Path(named)) or files.is_there(runs.find(named))
    return backbone if own else replace(backbone, size=FACE_SIZE)


def _placed(backbone: Backbone, embedder: Embedder) -> Embedder | None:
    """Return the embedder of a map inside the network, if there is one and the network was just made."""
    if is_index(Path(backbone.named or BACKBONE)):
        return None
    from foveal.export.places import on_places  # here: it needs the training side

    return on_places(embedder)


def _write(
    out: Path, embedder: Embedder, learned: Whitening, numbers: dict[str, Any], source: str, *, force: bool
) -> None:
    """Write an index without pictures; its threshold is null where none keeps others out."""
    from foveal.export.embedding import projected  # here: as above

    if force:
        graph_file.place(out).unlink(missing_ok=True)  # of the index that was there
    threshold = {"value": numbers[f"at_far_{FAR:g}"]["threshold"], "false_accepts": FAR}
    notes = {THRESHOLD: json.dumps(threshold).encode()}
    IndexFile.create(out, projected(embedder, learned, source=source), notes=notes, force=force).__exit__()


def check_for_people(path: Path) -> None:
    """Refuse an index that is there and was not made for people.

    Raises:
        DataError: It is no index, or damaged.
        UsageError: `other_backbone`: nothing in it says when two pictures show the same person.
    """
    with IndexFile.open(path) as index:
        if index.noted(THRESHOLD) is None:
            raise UsageError(
                f"{path} is there, and holds no threshold from which on two pictures show the same person",
                code="other_backbone",
                hint="leave --as out to add to it as it is, or name another --out",
                path=path,
            )


def verify(
    path: Path,
    one: bytes,
    other: bytes,
    *,
    called: tuple[str, str] = ("the first", "the second"),
    threshold: float | None = None,
) -> dict[str, Any]:
    """Say how alike two pictures are, and whether they show the same; the order of both changes nothing.

    Args:
        path: An index: what makes the features, and the threshold that it holds. It may have no pictures.
        one: Content of a picture file.
        other: Of another.
        called: What an error names each.
        threshold: From which score on they are the same; None: that of the index.

    Raises:
        NotFoundError: There is no such index.
        DataError: The index, or a picture, cannot be used; or it sees nothing in one.
    """
    with IndexFile.open(path) as index:
        embedder, noted = index.embedder, index.noted(THRESHOLD)
    images = np.stack(
        [pixels_of(embedder, content, name) for content, name in zip((one, other), called, strict=True)]
    )
    features = np.concatenate([embedder.features(image[None]) for image in images])
    if not np.linalg.norm(features, axis=1).all():
        raise DataError("the features of a picture are all 0: it is like nothing", code="no_features")
    units = unit(features)
    limit = threshold if threshold is not None or noted is None else json.loads(noted)["value"]
    score = float(exact(units[:1], units[1])[0])
    return {
        "schema": VERIFY_SCHEMA,
        "ok": True,
        "index": str(path),
        "score": round(score, 6),
        "threshold": limit,
        "same": None if limit is None else score >= limit,
    }
