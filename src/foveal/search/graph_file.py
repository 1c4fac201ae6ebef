"""The graph of an index as a file beside it, which is used only if it is what we wrote and fits the index.

Its sha256 and its measured recall are kept in the index. usearch trusts the file it reads, so nothing is
given to it that has another sha256. Whatever is killed, a graph is there whole or not at all: first the index
knows the new graph beside the old one, then the file changes its name, then the old one is forgotten; the
file itself tells which of the two it is.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveal.core import files
from foveal.core.errors import DataError, MissingExtraError, NotFoundError
from foveal.core.types import Measured
from foveal.search.exact import Int64
from foveal.search.file import Gallery, IndexFile
from foveal.search.graph import Graph

SUFFIX = ".usearch"
_NOTE = "approximate"
_HINT = "foveal search index DIR --out F.index --approximate makes it"


@dataclass(frozen=True)
class Kept:
    """A graph that was read.

    Attributes:
        graph: Of the pictures that were in the index when it was written.
        recall: The share of the exact ten best that it found then.
    """

    graph: Graph = field(repr=False)
    recall: Measured


@dataclass(frozen=True)
class Fitting(Kept):
    """A graph of just the pictures in an index.

    Attributes:
        rows: Of `Graph.rows`.
    """

    rows: Int64 = field(repr=False)


def place(index: Path) -> Path:
    """Return where the graph of an index is."""
    return index.with_name(index.name + SUFFIX)


def is_kept(index: IndexFile) -> bool:
    """Return whether an index is to have a graph; the file may be lost."""
    return bool(_records(index))


def read(index: IndexFile) -> Kept:
    """Read the graph of an index; it may be of other pictures, see `fitting`.

    Raises:
        NotFoundError: `no_graph`: it never had one, or the file is lost.
        DataError: `graph_damaged`: the file is not what was written for this index.
        MissingExtraError: The extra `search` is not installed.
    """
    path, records = place(index.path), _records(index)
    if not records or not files.is_there(path):
        raise NotFoundError(f"{index.path} has no graph {path.name}", code="no_graph", hint=_HINT, path=path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", code="io_error", path=path) from error
    recall = records.get(hashlib.sha256(content).hexdigest())
    if recall is None:
        message = f"{path} is not what was written for this index"
        raise DataError(message, code="graph_damaged", hint=_HINT, path=path)
    return Kept(Graph.from_bytes(content), recall)


def fitting(index: IndexFile, gallery: Gallery) -> Fitting:
    """Read the graph of an index, and refuse one of other pictures than those in it.

    Raises:
        DataError: `graph_stale`, or as `read`.
        NotFoundError, MissingExtraError: As `read`.
    """
    kept = read(index)
    rows = kept.graph.rows(gallery.contents)
    if rows is None:
        path = place(index.path)
        message = f"{path} is of other pictures than those in the index"
        hint = "foveal search index DIR --out F.index brings it up to date"
        raise DataError(message, code="graph_stale", hint=hint, path=path)
    return Fitting(kept.graph, kept.recall, rows)


def write(index: IndexFile, kept: Kept) -> None:
    """Put a graph beside an index; the one that was there stays until it is whole.

    Raises:
        WriteError, TemporaryError: It cannot be written now.
    """
    path, content, before = place(index.path), kept.graph.to_bytes(), _records(index)
    for half in path.parent.glob(f".{path.name}.*.tmp"):  # of a process that was killed
        if files.is_left_over(half.name, of=path.name):
            files.remove(half)
    record = {hashlib.sha256(content).hexdigest(): kept.recall}
    _note(index, before | record)
    files.write_bytes(path, content)
    _note(index, record)


def remove(index: IndexFile) -> None:
    """Forget the graph of an index, and remove its file.

    Raises:
        WriteError, TemporaryError: It cannot be done now.
    """
    if is_kept(index):
        _note(index, {})
        files.remove(place(index.path))


def usable(index: IndexFile, gallery: Gallery) -> tuple[Fitting | None, str | None]:
    """Return the graph of an index if it can be used, else why one that is kept cannot.

    Raises:
        DataError: `index_damaged`.
    """
    if not is_kept(index):
        return None, None
    try:
        return fitting(index, gallery), None
    except (DataError, NotFoundError, MissingExtraError) as error:
        return None, f"{error.message}; the search is exact"


def _records(index: IndexFile) -> dict[str, Measured]:
    """Return the recall of each graph that may be beside an index by its sha256."""
    noted = index.noted(_NOTE)
    if noted is None:
        return {}
    found: dict[str, Any] = json.loads(noted)
    return {digest: Measured(**recall) for digest, recall in found.items()}


def _note(index: IndexFile, records: dict[str, Measured]) -> None:
    told = {digest: recall.as_json() for digest, recall in records.items()}
    index.note(_NOTE, json.dumps(told).encode())
