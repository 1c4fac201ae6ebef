"""`foveal search index`: the pictures of folders, archives and data sets in one file that can be searched."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.audit.glance import Glances
from foveal.audit.near_duplicates import clusters, near_duplicates
from foveal.bundle.embedder import Embedder
from foveal.core import files, runs
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress, silent
from foveal.core.text import printable
from foveal.data import decode
from foveal.data.dataset import Dataset
from foveal.data.inventory import content_hashes
from foveal.flows import _unlabelled
from foveal.flows._embedded import embedded
from foveal.search.file import Entry, IndexFile, is_index

SCHEMA = "foveal.search.index/1"
BACKBONE = "efficientnet-lite0"
_SIZE = 224  # of a model that is named: the same for all pictures, so that indexes of it can be compared
_EXAMPLES = 10
_TOLD = 20  # groups of near copies that the document names


@dataclass(frozen=True)
class Backbone:
    """What is to make the features of a new index.

    Attributes:
        named: See `flows._backbone.embedder_of`; None: what the index has, or efficientnet-lite0.
        model: The architecture of bare weights.
        size: Side of the pictures in pixels; None: 224, or that of a run or bundle.
    """

    named: str | None = None
    model: str | None = None
    size: int | None = None


def index(
    named: Sequence[str | Path],
    out: Path,
    *,
    backbone: Backbone | None = None,
    prune: bool = False,
    threads: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Bring an index up to date with the pictures that are named, and return the command's document.

    Contents that are there already are not computed again. A batch of 64 pictures is in the file whole or
    not at all, so that the same call goes on where another was killed.

    Args:
        named: Folders, archives, picture files or a data set.
        out: The index; made where there is none.
        backbone: What makes the features of a new one.
        prune: Whether to forget what is not among the pictures that are named.
        threads: Pieces at once; None: all processors we may use.
        progress: Told about files and pictures.

    Raises:
        NotFoundError: Nothing there, or no picture in it.
        DataError: Something else is at `out`, or an index that is damaged; or no picture can be used.
        UsageError: `other_backbone`: the index was made with another one.
        WriteError, TemporaryError: The index cannot be written.
    """
    start = time.perf_counter()
    dataset = _unlabelled.everything(named)
    with _opened(out, dataset, backbone or Backbone()) as opened:
        hashes = content_hashes(dataset, progress=progress)
        now = _names(dataset, hashes)
        changed = opened.rename(lambda before: _renamed(before, now, prune=prune))
        before, added = opened.sources(), 0
        first = {content: row for row, content in reversed(list(enumerate(hashes))) if content}
        rows = sorted(row for content, row in first.items() if content not in before)
        unusable = [(row, "it cannot be read") for row, content in enumerate(hashes) if not content]
        for part in embedded(dataset, rows, opened.embedder, threads=threads, looks=True, progress=progress):
            found = zip(part.rows, part.features, part.looks, strict=True)
            added += opened.add(
                [Entry(hashes[row], now[hashes[row]], vector, jpeg) for row, vector, jpeg in found]
            )
            unusable += [(row, error.message) for row, error in part.unusable]
        told = _told(opened, [(printable(dataset.sources[row]), why) for row, why in unusable])
    return {
        **told,
        "added": added,
        "forgotten": sum(not names for names in changed.values()),
        "seconds": round(time.perf_counter() - start, 3),
    }


def _told(opened: IndexFile, unusable: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return what is said of an index, and of pictures that did not come into it.

    Raises:
        DataError: `no_usable_picture`: the index is empty.
    """
    kept, embedder = opened.sources(), opened.embedder
    if not kept:
        source, why = unusable[0]
        raise DataError(f"no picture can be used; {source}: {why}", code="no_usable_picture", path=source)
    return {
        "schema": SCHEMA,
        "ok": True,
        "index": str(opened.path),
        "size_bytes": opened.path.stat().st_size,
        "backbone": {"source": embedder.source, "license": embedder.license, "digest": embedder.digest},
        "dimensions": embedder.dimensions,
        "texts": embedder.texts is not None,
        "pictures": len(kept),
        "copies": sum(len(names) - 1 for names in kept.values()),
        "unusable": {
            "count": len(unusable),
            "examples": [{"source": source, "message": why} for source, why in unusable[:_EXAMPLES]],
        },
    }


def duplicates(path: Path, *, progress: Progress = silent) -> dict[str, Any]:
    """Return the near copies in an index: other sizes, crops, mirror images or codings of one picture.

    They are told by the small copies in the index (see `audit.near_duplicates`), not by features: pictures of
    one thing from two sides have like features and are no copies. Time grows with the square of the number:
    about 40 s for 50,000.

    Args:
        path: The index.
        progress: Told a few times a second.

    Returns:
        `groups`, how many there are; `pictures` in them; and `examples`, of the most alike twenty
        `similarity` in [0, 1], `sources`, and `ids` in the index.
    """
    with IndexFile.open(path) as opened:
        gallery = opened.gallery()
        glances = Glances.of(len(gallery))
        for at, jpeg in enumerate(opened.looks(gallery.ids)):
            glances.look(at, decode.decode(jpeg, 1))
    found = clusters(near_duplicates(glances.thumbnails, progress=progress))
    examples = [
        {
            "similarity": round(group.similarity, 4),
            "sources": [printable(gallery.sources[row][0]) for row in group.members],
            "ids": [gallery.ids[row] for row in group.members],
        }
        for group in found[:_TOLD]
    ]
    return {
        "groups": len(found),
        "pictures": sum(len(group.members) for group in found),
        "examples": examples,
    }


def _opened(out: Path, dataset: Dataset, backbone: Backbone) -> IndexFile:
    """Open the index, or make it."""
    if not files.is_there(out):
        return IndexFile.create(out, embedder_for(backbone, dataset))
    opened = IndexFile.open(out)
    try:
        _check_backbone(opened.embedder, backbone, dataset, out)
    except BaseException:
        opened.__exit__()
        raise
    return opened


def embedder_for(backbone: Backbone, dataset: Dataset) -> Embedder:
    """Return what makes features: that of another index, or of what `flows._backbone` knows."""
    named = backbone.named or BACKBONE
    if is_index(Path(named)):
        with IndexFile.open(Path(named)) as other:
            return other.embedder
    from foveal.flows._backbone import (
        embedder_of,
    )  # here: it needs torch, which an index that is there does not

    size = _SIZE if backbone.size is None and not files.is_there(runs.find(named)) else backbone.size
    return embedder_of(named, dataset, model=backbone.model, size=size)


def _check_backbone(embedder: Embedder, backbone: Backbone, dataset: Dataset, out: Path) -> None:
    """Refuse to mix features of two networks in one index."""
    if backbone == Backbone():
        return
    asked = embedder_for(backbone, dataset)
    if asked.digest != embedder.digest:
        raise UsageError(
            f"{out} holds features of {embedder.source} at {embedder.preprocess.size} pixels, "
            f"not of {asked.source} at {asked.preprocess.size}",
            code="other_backbone",
            hint="leave --backbone out to add to it, or name another --out",
        )


def _names(dataset: Dataset, hashes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    for source, content in zip(dataset.sources, hashes, strict=True):
        if content:
            names.setdefault(content, []).append(printable(source))
    return {content: tuple(dict.fromkeys(each)) for content, each in names.items()}


def _renamed(
    before: dict[str, tuple[str, ...]], now: dict[str, tuple[str, ...]], *, prune: bool
) -> dict[str, tuple[str, ...]]:
    """Return the contents of the index that are to be called otherwise, none of the names: to be forgotten.

    A name that now has another content is taken from the one that had it.
    """
    taken = {name: content for content, names in now.items() for name in names}
    changed = {}
    for content, old in before.items():
        stays = [name for name in old if not prune and taken.get(name, content) == content]
        names = tuple(dict.fromkeys([*stays, *now.get(content, ())]))
        if names != old:
            changed[content] = names
    return changed
