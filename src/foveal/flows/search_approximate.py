"""`foveal search index --approximate`: the graph beside an index, and how much a search through it misses."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle.embedder import unit
from foveal.bundle.session import Float32
from foveal.core import files
from foveal.core.errors import DataError, NotFoundError
from foveal.core.extras import need
from foveal.core.progress import Progress, silent
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.metrics.clustered_share import clustered_share
from foveal.search import graph_file
from foveal.search.exact import Float64, Plain, Search
from foveal.search.file import IndexFile
from foveal.search.graph import CANDIDATES, Approximate, Graph

APPROXIMATE_FROM = 200_000  # pictures; of fewer an exact search takes 2 to 16 ms
_ASKED = 500  # pictures of the index that the recall is measured with
_TOP = 10
_ANEW = 2  # times as many places as pictures in a graph, from which on it is made anew


def check(out: Path, wanted: bool | None) -> None:
    """Refuse, before any work, what cannot be done without the extra.

    Args:
        out: The index; it may be missing.
        wanted: As for `approximate`.

    Raises:
        MissingExtraError: A graph is to be made, or is there and would not be brought up to date.
        FovealError: As `IndexFile.open`.
    """
    kept = False
    if wanted is None and files.is_there(out):
        with IndexFile.open(out) as index:
            kept = graph_file.is_kept(index)
    if wanted or kept:
        need("search", what=f"the graph {graph_file.place(out).name}")


def approximate(
    out: Path,
    wanted: bool | None,
    *,
    least: int = APPROXIMATE_FROM,
    candidates: int = CANDIDATES,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Make the graph of an index, bring it up to date, or remove it; it is there whole or not at all.

    Args:
        out: The index, with one picture at least.
        wanted: Whether there is to be a graph; None: if there was one.
        least: Pictures below which none is begun.
        candidates: As for `search.graph.Approximate`.
        threads: Vectors that are put in at once. With more than one, which neighbours are missed is not the
            same every time.
        progress: Told a few times a second.

    Returns:
        `graph`, its path or None; `size_bytes`; `recall`, the share of the exact ten best that it finds, with
        its interval; `added`, `removed`; `seconds`; and `reason`, why there is none or that there could be.

    Raises:
        MissingExtraError: See `check`.
        WriteError, TemporaryError: It cannot be written now.
    """
    start = time.perf_counter()
    with IndexFile.open(out) as index:
        if wanted is False:
            graph_file.remove(index)
            return _told(None)
        kept = graph_file.is_kept(index)
        if not (kept or wanted):
            return _told(None, reason=_offer(len(index.sources()), least))
        gallery = index.gallery()
        if not kept and len(gallery) < least:
            return _told(None, reason=_too_few(len(gallery), least))
        units = unit(gallery.vectors)
        if np.count_nonzero(np.linalg.norm(units, axis=1)) < 2:
            graph_file.remove(index)
            return _told(None, reason="no graph: fewer than two pictures have features")
        before = _before(index, len(gallery))
        graph = Graph.empty(units) if before is None else before.graph
        removed, added = graph.follow(units, gallery.contents, threads=threads, progress=progress)
        if before is None or removed or added:
            recall = measured(units, graph, gallery.contents, candidates=candidates, progress=progress)
            before = graph_file.Kept(graph, recall)
            graph_file.write(index, before)
    counted = {"added": added, "removed": removed, "seconds": round(time.perf_counter() - start, 3)}
    return {**_told(graph_file.place(out), recall=before.recall), **counted}


def measured(
    units: Float32,
    graph: Graph,
    contents: tuple[str, ...],
    *,
    candidates: int = CANDIDATES,
    progress: Progress = silent,
) -> Measured:
    """Return which share of the exact ten best a search through a graph finds, asked with pictures in it.

    500 are drawn, each is left out of its own answers. What is as like as the tenth is counted as one of the
    ten. The neighbours of one picture may be found or missed together, so the interval counts pictures.

    Args:
        units: Of length 1, or 0, float32 (N, D).
        graph: Of all of them.
        contents: Of each, (N,).
        candidates: As for `search.graph.Approximate`.
        progress: Told a few times a second.

    Raises:
        DataError: `no_features`: the graph is of others, or no vector has a length, or there is only one.
    """
    rows = graph.rows(contents)
    asked = np.flatnonzero(np.linalg.norm(units, axis=1) > 0)
    if rows is None or len(asked) == 0 or len(units) < 2:
        raise DataError("there are no two pictures with features to measure with", code="no_features")
    asked = np.sort(stream(0, "graph").permutation(asked)[:_ASKED])
    exact, near = Plain(units), Approximate(units, graph, rows, candidates=candidates)
    right = []
    for done, row in enumerate(asked.tolist(), 1):
        truth = _others(exact, units[row], row)
        found = _others(near, units[row], row)
        right += (found >= truth[-1]).tolist()
        progress("comparing", done, len(asked))
    return clustered_share(np.array(right), float(len(asked)))


def _others(search: Search, query: Float32, row: int) -> Float64:
    """Return the scores of the ten best that are not the query itself."""
    found = search(query, top=_TOP + 1)
    others: Float64 = found.scores[found.rows != row][:_TOP]
    return others


def _before(index: IndexFile, pictures: int) -> graph_file.Kept | None:
    """Return the graph to go on from; None where it is lost, damaged or mostly of what is gone."""
    try:
        kept = graph_file.read(index)
    except (DataError, NotFoundError):
        return None
    return kept if len(kept.graph.contents) <= _ANEW * pictures else None


def _offer(pictures: int, least: int) -> str | None:
    if pictures < least:
        return None
    return f"of {pictures:,} pictures an approximate search is faster: --approximate makes its graph"


def _too_few(pictures: int, least: int) -> str:
    exact = f"exact search of {pictures:,} pictures takes milliseconds"
    return f"no graph: {exact}; one is made from {least:,} on"


def _told(path: Path | None, *, recall: Measured | None = None, reason: str | None = None) -> dict[str, Any]:
    return {
        "graph": None if path is None else str(path),
        "size_bytes": None if path is None else path.stat().st_size,
        "recall": None if recall is None else recall.as_json(),
        "reason": reason,
    }
