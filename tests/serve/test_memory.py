"""One model in memory, however many workers there are; and no more of it after many requests."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

WEIGHTS = 10_000_000  # float32: 40 MB


def memory(pid: int, kind: str) -> float:
    """Return a process's memory in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(rf"^{kind}: +(\d+) kB", text, re.MULTILINE)[1]) / 1e3  # type: ignore[index]


@pytest.fixture(scope="module")
def heavy_bundle(seal_graph, tmp_path_factory):
    """Seal a model of 40 MB that takes 16 pixels."""
    inner = WEIGHTS // 768
    rng = np.random.default_rng(0)
    arrays = {
        "wide": rng.normal(0, 0.01, (768, inner)).astype(np.float32),
        "narrow": rng.normal(0, 0.01, (inner, 3)).astype(np.float32),
    }
    nodes = [("Flatten", [], {}), ("MatMul", ["wide"], {}), ("MatMul", ["narrow"], {})]
    return seal_graph(tmp_path_factory.mktemp("heavy") / "heavy.foveal", nodes, arrays)


def test_four_workers_share_one_model(serve, heavy_bundle, colored) -> None:
    server = serve("--workers", "4", model=heavy_bundle)
    for _ in range(40):
        assert server.ask("/v1/predict", colored()).status == 200

    workers = server.workers()
    assert len(workers) == 4
    own = [memory(pid, "Private_Dirty") for pid in workers]
    assert max(own) < 25, "no worker has 40 MB of its own"
    assert min(memory(pid, "Rss") for pid in workers) > 60, "each has the model in sight"


def test_the_supervisor_has_one_thread_and_a_worker_two(serve, colored) -> None:
    before = {name: os.environ.pop(name, None) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    try:
        server = serve("--workers", "2")
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})
    server.ask("/v1/predict", colored())

    threads = [
        len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in (server.process.pid, *server.workers())
    ]
    assert threads == [1, 2, 2]


@pytest.mark.slow
def test_memory_files_and_threads_stay_as_they_are_over_many_requests(serve, colored) -> None:
    server = serve("--workers", "1")
    [worker] = server.workers()
    connection = server.connect()
    pictures = [colored((step, 30, 255 - step)) for step in range(256)]

    def ask(count: int) -> tuple[float, int, int]:
        for step in range(count):
            server.ask_on(connection, "/v1/predict", pictures[step % 256] if step % 7 else b"no picture")
        folder = Path(f"/proc/{worker}")
        return (
            memory(worker, "Rss"),
            len(list((folder / "fd").iterdir())),
            len(list((folder / "task").iterdir())),
        )

    before = ask(3000)
    after = ask(20_000)
    connection.close()

    assert after[0] - before[0] < 4, "MB over 20,000 requests"
    assert after[1:] == before[1:]
