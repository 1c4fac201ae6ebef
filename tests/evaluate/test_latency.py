"""evaluate.latency: what does more work takes longer, whichever comes first."""

from types import SimpleNamespace

import numpy as np

from foveal.evaluate.latency import latencies


class Works:
    """Multiplies matrices of one side, so many times."""

    def __init__(self, times: int) -> None:
        self.times, self.matrix = times, np.eye(64, dtype=np.float32)

    def run(self, images):
        for _ in range(self.times):
            self.matrix = self.matrix @ self.matrix
        return SimpleNamespace(probabilities=np.ones((len(images), 1), np.float32))


def test_the_slower_one_is_found_in_either_order() -> None:
    picture = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    light, heavy = Works(1), Works(200)

    first = latencies([light, heavy], [picture, picture])
    second = latencies([heavy, light], [picture, picture])

    assert first[0].p50_ms < first[1].p50_ms
    assert second[1].p50_ms < second[0].p50_ms
    assert all(0 < one.p50_ms <= one.p99_ms and one.n >= 20 for one in (*first, *second))
