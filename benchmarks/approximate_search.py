"""Time approximate search beside the exact one, in turn, one thread, ten results of 500 queries.

`python benchmarks/approximate_search.py KIND COUNT D...` prints a row for each number of dimensions. KIND is
`clusters` (200, with a spectrum that falls to a twentieth) or `random` (vectors that say nothing of each
other). Times are of the processor (`time.thread_time`), so that other programs on it count little. The recall
is the share of the exact ten best that are found, its interval counts queries.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import time

import numpy as np

from foveal.bundle.embedder import unit
from foveal.metrics.clustered_share import clustered_share
from foveal.search.bounded import Bounded
from foveal.search.graph import Approximate, Graph

QUERIES, TOP = 500, 10


def clusters(count: int, dimensions: int, rng: np.random.Generator) -> np.ndarray:
    """Return vectors of length 1 in 200 clusters, float32 (count, dimensions)."""
    centres = rng.standard_normal((200, dimensions), dtype=np.float32)
    vectors = rng.standard_normal((count, dimensions), dtype=np.float32)
    vectors += centres[rng.integers(0, 200, count)]
    vectors *= np.linspace(1, 0.05, dimensions, dtype=np.float32)
    return unit(vectors)


def random(count: int, dimensions: int, rng: np.random.Generator) -> np.ndarray:
    """Return vectors of length 1 without structure, float32 (count, dimensions)."""
    return unit(rng.standard_normal((count, dimensions), dtype=np.float32))


def row(kind: str, count: int, dimensions: int) -> str:
    """Return a line of the table."""
    rng = np.random.default_rng(0)
    vectors = {"clusters": clusters, "random": random}[kind](count + QUERIES, dimensions, rng)
    queries, units = vectors[:QUERIES], vectors[QUERIES:]
    contents = [f"{number:064x}" for number in range(1, count + 1)]
    start = time.thread_time()
    exact = Bounded(units)
    prepared = time.thread_time() - start
    start = time.thread_time()
    graph = Graph.empty(units)
    graph.follow(units, contents, progress=lambda _, done, total: print(done, total, file=sys.stderr))
    built, size = time.thread_time() - start, len(graph.to_bytes())
    rows = graph.rows(contents)
    assert rows is not None
    near = Approximate(units, graph, rows)
    times: tuple[list[float], list[float]] = ([], [])
    right = []
    for query in queries:
        answers = []
        for search, taken in zip((exact, near), times, strict=True):
            start = time.thread_time()
            answers.append(search(query, top=TOP))
            taken.append((time.thread_time() - start) * 1000)
        right += (answers[1].scores >= answers[0].scores[-1]).tolist()
    recall = clustered_share(np.array(right), QUERIES)
    told = [f"{np.median(taken):.2f} | {np.quantile(taken, 0.95):.2f}" for taken in times]
    return (
        f"| {kind} | {count:,} | {dimensions} | {told[0]} | {told[1]} | "
        f"{recall.value:.3f} ({recall.low:.3f} to {recall.high:.3f}) | {prepared:.0f} | {built:.0f} | "
        f"{size / 1e6:.0f} MB |"
    )


def main() -> None:
    kind, count, *dimensions = sys.argv[1:]
    print(
        "| vectors | number | D | exact, ms | 95 % below | approximate, ms | 95 % below |"
        " recall of the ten best | exact prepared in s | graph built in s | graph |"
    )
    print("| --- |" + " --- |" * 10)
    for each in dimensions:
        print(row(kind, int(count), int(each)), flush=True)


if __name__ == "__main__":
    main()
