"""An index in memory, and questions to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foveal.bundle.embedder import Embedder, unit
from foveal.bundle.inputs import UInt8
from foveal.bundle.session import Float32
from foveal.core.errors import DataError
from foveal.core.types import Measured
from foveal.search import graph_file
from foveal.search.bounded import search_of
from foveal.search.exact import Plain, Search
from foveal.search.file import Gallery, IndexFile
from foveal.search.graph import Approximate


@dataclass(frozen=True)
class Match:
    """A picture that is like the query.

    Attributes:
        id: In the index.
        score: Cosine of the two pictures' features, in [-1, 1].
        sources: What it is called.
    """

    id: int
    score: float
    sources: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return `source`, `score` and `copies`, the other names of the same content."""
        first, *others = self.sources
        return {"source": first, "score": round(self.score, 6), "copies": others}


@dataclass(frozen=True)
class Searcher:
    """Everything a search needs; neither the file nor torch.

    Attributes:
        embedder: From pictures to features.
        gallery: What is searched.
        search: Finds the nearest.
        recall: Of an approximate search, the share of the exact ten best that it found when it was measured;
            None: the search is exact.
        passed_over: Why a graph that the index has is not used, for people.
    """

    embedder: Embedder
    gallery: Gallery
    search: Search
    recall: Measured | None = None
    passed_over: str | None = None

    @classmethod
    def open(cls, path: Path, *, often: bool, threads: int = 1, approximate: bool = False) -> "Searcher":
        """Read an index.

        Args:
            path: The file.
            often: Whether many queries will come: then the search is prepared, which takes seconds where
                there are many pictures, or goes through the graph of the index where it has one that fits.
            threads: Parts of a large index that are searched at once.
            approximate: Whether the search must go through the graph.

        Raises:
            DataError: It is no index, is damaged, or `empty_index`; of a graph that is needed `graph_stale`,
                `graph_damaged`.
            NotFoundError: There is no such file, or `no_graph`.
            MissingExtraError: A graph is needed, and the extra `search` is not installed.
        """
        with IndexFile.open(path) as index:
            return cls.of(index, often=often, threads=threads, approximate=approximate)

    @classmethod
    def of(cls, index: IndexFile, *, often: bool, threads: int = 1, approximate: bool = False) -> "Searcher":
        """Read an open index; see `open`."""
        gallery = index.gallery()
        if len(gallery) == 0:
            hint = "foveal search index DIR --out F.index adds pictures"
            raise DataError(f"{index.path} has no pictures", code="empty_index", hint=hint, path=index.path)
        units = unit(gallery.vectors)
        kept, passed_over = None, None
        if approximate:
            kept = graph_file.fitting(index, gallery)
        elif often:
            kept, passed_over = graph_file.usable(index, gallery)
        if kept is not None:
            found = Approximate(units, kept.graph, kept.rows)
            return cls(index.embedder, gallery, found, kept.recall)
        search = search_of(units, threads=threads) if often else Plain(units)
        return cls(index.embedder, gallery, search, None, passed_over)

    def told(self, *, by_picture: bool = True) -> dict[str, Any]:
        """Return `exact`, and of an approximate search its `recall`.

        Args:
            by_picture: Whether it was asked with a picture; see `near_text`.
        """
        known = self.recall if by_picture else None
        return {"exact": known is None, "recall": None if known is None else known.as_json()}

    def near(self, image: UInt8, *, top: int, without: Sequence[str] = ()) -> list[Match]:
        """Return the pictures that are most like one, the most alike first.

        Args:
            image: As the embedder's preprocessing leaves it, uint8 (H, W, C).
            top: How many, at least 1; fewer where the index has fewer.
            without: The sha256 of contents that are left out.
        """
        return self.near_features(self.embedder.features(image[None])[0], top=top, without=without)

    def near_text(self, vector: Float32, *, top: int) -> list[Match]:
        """Return the pictures that a text fits best; see `near`.

        Never through a graph: its recall is measured with pictures, and texts lie elsewhere.

        Args:
            vector: Of the text, float32 (D,).
            top: How many.
        """
        plain = isinstance(self.search, Approximate)
        exact = replace(self, search=Plain(unit(self.gallery.vectors))) if plain else self
        return exact.near_features(vector, top=top)

    def near_features(self, query: Float32, *, top: int, without: Sequence[str] = ()) -> list[Match]:
        """Return the pictures whose features are most like some, float32 (D,); see `near`."""
        found = self.search(query, top=top + len(without))
        there, rows = self.gallery, zip(found.rows.tolist(), found.scores.tolist(), strict=True)
        kept = [
            Match(there.ids[row], score, there.sources[row])
            for row, score in rows
            if there.contents[row] not in without
        ]
        return kept[:top]
