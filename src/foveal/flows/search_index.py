"""`foveal search index`: the pictures of folders, archives and data sets in one file that can be searched."""

import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.audit.glance import Glances
from foveal.audit.near_duplicates import clusters, near_duplicates
from foveal.bundle.embedder import Embedder
from foveal.core import files, runs
from foveal.core.errors import DataError, UsageError, WriteError
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
    made = not files.is_there(out)
    with _opened(out, dataset, backbone or Backbone()) as opened:
        hashes = content_hashes(dataset, progress=progress)
        now, before, added = _names(dataset, hashes), opened.sources(), 0
        first = {content: row for row, content in reversed(list(enumerate(hashes))) if content}
        rows = sorted(row for content, row in first.items() if content not in before)
        unusable = [(row, "it cannot be read") for row, content in enumerate(hashes) if not content]
        bad: dict[str, str] = {}
        for part in embedded(dataset, rows, opened.embedder, threads=threads, looks=True, progress=progress):
            found = zip(part.rows, part.features, part.looks, strict=True)
            added += opened.add(
                [Entry(hashes[row], now[hashes[row]], vector, jpeg) for row, vector, jpeg in found]
            )
            bad |= {hashes[row]: error.message for row, error in part.unusable}
        unusable += [(row, bad[content]) for row, content in enumerate(hashes) if content in bad]
        reasons = [(printable(dataset.sources[row]), why) for row, why in unusable]
        usable = {content: names for content, names in now.items() if content not in bad}
        if not usable:  # before anything is forgotten
            if made:  # nothing of it binds the next one to this backbone
                files.remove(out)
            source, why = reasons[0]
            raise DataError(f"no picture can be used; {source}: {why}", code="no_usable_picture", path=source)
        unread = {name for name, _ in reasons}
        # Names last: a file that cannot be used now, as of a folder half copied, takes none from what it was.
        changed = opened.rename(lambda before: _renamed(before, usable, kept=unread if prune else None))
        told = _told(opened, reasons)
    return {
        **told,
        "added": added,
        "forgotten": sum(not names for names in changed.values()),
        "seconds": round(time.perf_counter() - start, 3),
    }


def _told(opened: IndexFile, unusable: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return what is said of an index, and of pictures that did not come into it."""
    kept, embedder = opened.sources(), opened.embedder
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
    """Open the index, or make it; where another process makes it this moment, open that one."""
    if not files.is_there(out):
        embedder = embedder_for(backbone, dataset)
        try:
            return IndexFile.create(out, embedder)
        except WriteError:
            if not files.is_there(out):
                raise
    if not is_index(out):
        raise DataError(f"{out} is no index", code="not_an_index", hint="name another --out", path=out)
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
            return _as_it_is(other.embedder, backbone)
    from foveal.flows._backbone import (
        embedder_of,
    )  # here: it needs torch, which an index that is there does not

    size = _SIZE if backbone.size is None and not files.is_there(runs.find(named)) else backbone.size
    return embedder_of(named, dataset, model=backbone.model, size=size)


def _as_it_is(embedder: Embedder, backbone: Backbone) -> Embedder:
    """Return the embedder of an index, which no option changes.

    Raises:
        UsageError: `size_of_index`: another model or size is asked for.
    """
    own = embedder.preprocess.size
    if backbone.model is not None or backbone.size not in (None, own):
        raise UsageError(
            f"{backbone.named} holds its network, {embedder.source}, which sees {own} pixels",
            code="size_of_index",
            hint="leave --model and --size out, or name what it was made with",
        )
    return embedder


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
    before: dict[str, tuple[str, ...]], now: dict[str, tuple[str, ...]], *, kept: Set[str] | None
) -> dict[str, tuple[str, ...]]:
    """Return the contents of the index that are to be called otherwise, none of the names: to be forgotten.

    A name that now has another content is taken from the one that had it.

    Args:
        before: What each content in the index is called.
        now: The same of the pictures that are named.
        kept: Of the names that are not among these, the ones that stay: files that cannot be read now are
            not gone. None: all stay.
    """
    taken = {name: content for content, names in now.items() for name in names}
    changed = {}
    for content, old in before.items():
        stays = [name for name in old if taken.get(name, content) == content]
        if kept is not None:
            stays = [name for name in stays if name in taken or name in kept]
        names = tuple(dict.fromkeys([*stays, *now.get(content, ())]))
        if names != old:
            changed[content] = names
    return changed
