"""Time exact search: 100,000 vectors, ten results, one thread, beside what the machine's memory allows.

`python benchmarks/search.py [F.index]` prints a row for each number of dimensions and kind of vectors.
`pictures` are as features of pictures lie: normal, with the mean and the covariance of those in an index.
`random` have no structure at all: no bound can tell much of them, and every byte is read. Answers are
compared with brute force in float64.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import time
from pathlib import Path

import numpy as np

from foveal.bundle.embedder import unit
from foveal.search.bounded import Bounded
from foveal.search.exact import Plain, exact
from foveal.search.file import IndexFile

COUNT, QUERIES, TOP = 100_000, 100, 10


def like(features: np.ndarray, dimensions: int, count: int, seed: int) -> np.ndarray:
    """Return vectors with the mean and covariance of features: the strongest directions, or several times."""
    rng = np.random.default_rng(seed)
    mean = features.mean(axis=0)
    values, directions = np.linalg.eigh(np.cov(features.T))
    kept = np.argsort(-values)[: min(dimensions, len(values))]
    spread = directions[:, kept] * np.sqrt(np.maximum(values[kept], 0))
    parts = []
    for _ in range(-(-dimensions // len(mean))):
        noise = rng.standard_normal((count, len(kept))).astype(np.float32)
        part = (mean + noise @ spread.T.astype(np.float32)).astype(np.float32)
        parts.append(part if dimensions >= len(mean) else part @ directions[:, kept].astype(np.float32))
    return unit(np.concatenate(parts, axis=1)[:, :dimensions])


def bandwidth() -> float:
    """Return bytes a second that one thread reads, from memory that no cache holds."""
    block = np.ones(1 << 25, np.int64)
    best = min(timed(block.max) for _ in range(5))
    return block.nbytes / best


def timed(function, *arguments, **named) -> float:  # noqa: ANN001, ANN002, ANN003
    """Return the seconds of a call."""
    start = time.perf_counter()
    function(*arguments, **named)
    return time.perf_counter() - start


def row(kind: str, vectors: np.ndarray, queries: np.ndarray, rate: float) -> str:
    """Return a line of the table."""
    build = time.perf_counter()
    search = Bounded(vectors)
    build = time.perf_counter() - build
    plain = Plain(vectors)
    for query in queries[:20]:
        found, truth = (
            search(query, top=TOP),
            exact(vectors, (query / np.linalg.norm(query)).astype(np.float32)),
        )
        assert found.rows.tolist() == np.argsort(-truth, kind="stable")[:TOP].tolist()
    times, read = [], []
    for query in queries:
        times.append(timed(search, query, top=TOP) * 1000)
        read.append(search(query, top=TOP).looked_at)
    slow = np.median([timed(plain, query, top=TOP) for query in queries[:10]]) * 1000
    size = vectors.shape[1]
    floor_all, floor = (vectors.nbytes / rate * 1000, len(vectors) * search.width / rate * 1000)
    return (
        f"| {kind} | {len(vectors):,} | {size} | {search.width} | {np.median(read):,.0f} | "
        f"{np.median(times):.2f} | {np.quantile(times, 0.95):.2f} | {floor:.2f} | {slow:.1f} | "
        f"{floor_all:.1f} | {build:.1f} |"
    )


def main() -> None:
    rate = bandwidth()
    print(f"one thread reads {rate / 1e9:.1f} GB/s")
    print(
        "| vectors | number | D | bytes kept of each | looked at in full | ms | 95 % below |"
        " ms to read the bytes | brute force, ms | ms to read all | prepared in s |"
    )
    print("| --- |" + " --- |" * 10)
    rng = np.random.default_rng(0)
    features = None
    if len(sys.argv) > 1:
        with IndexFile.open(Path(sys.argv[1])) as index:
            features = index.gallery().vectors
        held = unit(features)
        some = rng.permutation(len(held))[:QUERIES]
        print(row("of the index", np.delete(held, some, axis=0), held[some], rate), flush=True)
    for dimensions in (128, 640, 1280):
        if features is not None:
            vectors = like(features, dimensions, COUNT + QUERIES, 0)
            print(row("pictures", vectors[QUERIES:], vectors[:QUERIES], rate), flush=True)
        vectors = unit(rng.standard_normal((COUNT + QUERIES, dimensions), dtype=np.float32))
        print(row("random", vectors[QUERIES:], vectors[:QUERIES], rate), flush=True)


if __name__ == "__main__":
    main()
