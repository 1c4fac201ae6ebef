"""Approximate search in a graph of neighbours, whose finds are ranked again exactly.

The graph is a hierarchy of small worlds: Malkov & Yashunin, "Efficient and robust approximate nearest
neighbor search using Hierarchical Navigable Small World graphs", 2018, as usearch, of the extra `search`,
builds it. It holds each vector as bytes: of vectors of length 1 the cosine falls as the distance grows, which
a shift leaves as it is, so they are centred and fill the range of a byte. What a walk through the graph finds
is several times what is wanted, and its scores are computed from the float32 vectors: a score that is told is
true, only what the walk passed by is missing.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.session import Float32
from foveal.core.errors import DataError
from foveal.core.extras import need
from foveal.core.progress import Progress, silent
from foveal.search.exact import Int64, Nearest, Plain, best, prepared

CANDIDATES = 128  # that are ranked again, at least
_MORE = 8  # times the wanted results that are ranked again
_LINKS = 16  # of a vector in the graph, twice that at the bottom
_AHEAD = 128  # vectors that are looked at to find them
_BATCH = 4096  # vectors between two words of progress
_MOST = 127  # of a byte with a sign
_CONTENT_BYTES = 32  # of a sha256
_GONE = b"\xff" * _CONTENT_BYTES
_MAGIC = b"foveal graph 1\n"


@dataclass
class Graph:
    """Vectors of pictures that are linked to those near them.

    Attributes:
        walk: The graph of usearch; its key of a picture is the place of the content in `contents`.
        contents: The sha256 of each picture's stored bytes, 32 bytes; all ones where it was taken out.
        mean: What is taken from a vector, float32 (D,).
        scale: By which the rest is multiplied.
    """

    walk: Any = field(repr=False)
    contents: list[bytes] = field(repr=False)
    mean: Float32 = field(repr=False)
    scale: float

    @classmethod
    def empty(cls, units: Float32) -> "Graph":
        """Return a graph for vectors such as these, of length 1 or 0, float32 (N, D), without any."""
        mean = units.mean(axis=0, dtype=np.float64).astype(np.float32)
        largest = max(float(np.abs(units[at : at + _BATCH] - mean).max()) for at in _steps(len(units)))
        return cls(_walk(units.shape[1]), [], mean, _MOST / max(largest, 1e-12))

    def bytes_of(self, units: Float32) -> NDArray[np.int8]:
        """Return vectors as the graph holds them, (N, D)."""
        steps = np.rint((units - self.mean) * np.float32(self.scale))
        whole: NDArray[np.int8] = steps.clip(-_MOST, _MOST).astype(np.int8)
        return whole

    def follow(
        self,
        units: Float32,
        contents: Sequence[str],
        *,
        threads: int = 1,
        progress: Progress = silent,
    ) -> tuple[int, int]:
        """Take out what is gone, put in what is new, and return how many of both.

        Args:
            units: All that is to be in the graph, of length 1 or 0, float32 (N, D).
            contents: The sha256 of each one's picture, (N,).
            threads: Vectors that are put in at once. With one, the same steps make the same graph.
            progress: Told a few times a second.
        """
        wanted = {bytes.fromhex(content): row for row, content in enumerate(contents)}
        keys = [key for key, content in enumerate(self.contents) if content not in wanted]
        gone = [key for key in keys if self.contents[key] != _GONE]
        for key in gone:
            self.walk.remove(key)
            self.contents[key] = _GONE
        for content in self.contents:
            wanted.pop(content, None)
        rows = np.fromiter(wanted.values(), np.int64, len(wanted))
        start = len(self.contents)
        for at in _steps(len(rows)):
            part = rows[at : at + _BATCH]
            keys_of = np.arange(start + at, start + at + len(part), dtype=np.uint64)
            self.walk.add(keys_of, self.bytes_of(units[part]), threads=threads)
            progress("linking", at + len(part), len(rows))
        self.contents += wanted
        return len(gone), len(rows)

    def rows(self, contents: Iterable[str]) -> Int64 | None:
        """Return for each key the row of its picture, -1 for none; None where the pictures are not these."""
        wanted = {bytes.fromhex(content): row for row, content in enumerate(contents)}
        rows = np.array([wanted.get(content, -1) for content in self.contents], np.int64)
        return rows if (rows >= 0).sum() == len(wanted) and _held(self.contents) == len(wanted) else None

    def to_bytes(self) -> bytes:
        """Return it as a file: a line of JSON, the mean, the contents, and the graph as usearch writes it."""
        head = {"dimensions": len(self.mean), "contents": len(self.contents), "scale": self.scale}
        line = json.dumps(head).encode() + b"\n"
        mean = self.mean.astype("<f4").tobytes()
        return b"".join([_MAGIC, line, mean, *self.contents, memoryview(self.walk.save())])

    @classmethod
    def from_bytes(cls, content: bytes) -> "Graph":
        """Read what `to_bytes` returned, and nothing else: usearch trusts the file that it reads.

        Raises:
            MissingExtraError: The extra `search` is not installed.
            DataError: `graph_damaged`: another version of usearch wrote it.
        """
        try:
            if not content.startswith(_MAGIC):
                raise ValueError("it is of another version of foveal")
            at = content.index(b"\n", len(_MAGIC)) + 1
            head = json.loads(content[len(_MAGIC) : at])
            dimensions, count = int(head["dimensions"]), int(head["contents"])
            mean = np.frombuffer(content, "<f4", dimensions, at).astype(np.float32)
            names = at + 4 * dimensions
            end = names + _CONTENT_BYTES * count
            contents = [content[n : n + _CONTENT_BYTES] for n in range(names, end, _CONTENT_BYTES)]
            walk = _walk(dimensions)
            walk.load(memoryview(content)[end:])
            if walk.ndim != dimensions or len(walk) != _held(contents):
                raise ValueError("it holds other vectors")
        except (ValueError, LookupError, TypeError, RuntimeError) as error:
            raise DataError(f"the graph cannot be read: {error}", code="graph_damaged") from error
        return cls(walk, contents, mean, float(head["scale"]))


class Approximate:
    """Search through a graph; see `search.exact.Search`."""

    def __init__(self, units: Float32, graph: Graph, rows: Int64, *, candidates: int = CANDIDATES) -> None:
        """Hold vectors and their graph.

        Args:
            units: Of length 1, or 0, float32 (N, D).
            graph: Of all of them.
            rows: Of `Graph.rows`.
            candidates: How many are ranked again, at least; where that is all, the answer is exact.
        """
        self.units, self._graph, self._rows, self._candidates = units, graph, rows, candidates

    def __call__(self, query: Float32, *, top: int) -> Nearest:
        """Return `top` vectors that are like a query, float32 (D,), of any length above 0."""
        asked = prepared(query, self.units, top)
        count = max(self._candidates, _MORE * top)
        if count < len(self.units):
            found = self._graph.walk.search(self._graph.bytes_of(asked), count, threads=1)
            rows = np.sort(self._rows[found.keys.astype(np.int64)])
            if len(rows) >= top:
                return best(self.units, asked, rows, top=top, read=len(rows))
        return Plain(self.units)(query, top=top)  # nearly all are wanted, or cannot be walked to


def _walk(dimensions: int) -> Any:
    """Return an empty graph of usearch."""
    need("search", what="approximate search")
    from usearch.index import Index

    return Index(
        ndim=dimensions,
        metric="l2sq",
        dtype="i8",
        connectivity=_LINKS,
        expansion_add=_AHEAD,
        expansion_search=CANDIDATES,
    )


def _steps(count: int) -> Iterator[int]:
    yield from range(0, count, _BATCH)


def _held(contents: Iterable[bytes]) -> int:
    return sum(content != _GONE for content in contents)
