"""An index in memory, and questions to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.bundle.embedder import Embedder, unit
from foveal.bundle.inputs import UInt8
from foveal.bundle.session import Float32
from foveal.core.errors import DataError
from foveal.search.bounded import search_of
from foveal.search.exact import Plain, Search
from foveal.search.file import Gallery, IndexFile


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
    """

    embedder: Embedder
    gallery: Gallery
    search: Search

    @classmethod
    def open(cls, path: Path, *, often: bool, threads: int = 1) -> "Searcher":
        """Read an index.

        Args:
            path: The file.
            often: Whether many queries will come: then the search is prepared, which takes seconds where
                there are many pictures.
            threads: Parts of a large index that are searched at once.

        Raises:
            DataError: It is no index, is damaged, or `empty_index`.
            NotFoundError: There is no such file.
        """
        with IndexFile.open(path) as index:
            return cls.of(index, often=often, threads=threads)

    @classmethod
    def of(cls, index: IndexFile, *, often: bool, threads: int = 1) -> "Searcher":
        """Read an open index; see `open`."""
        gallery = index.gallery()
        if len(gallery) == 0:
            hint = "foveal search index DIR --out F.index adds pictures"
            raise DataError(f"{index.path} has no pictures", code="empty_index", hint=hint, path=index.path)
        units = unit(gallery.vectors)
        search = search_of(units, threads=threads) if often else Plain(units)
        return cls(index.embedder, gallery, search)

    def near(self, image: UInt8, *, top: int, without: Sequence[str] = ()) -> list[Match]:
        """Return the pictures that are most like one, the most alike first.

        Args:
            image: As the embedder's preprocessing leaves it, uint8 (H, W, C).
            top: How many, at least 1; fewer where the index has fewer.
            without: The sha256 of contents that are left out.
        """
        return self.near_features(self.embedder.features(image[None])[0], top=top, without=without)

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
