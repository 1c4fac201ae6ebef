"""optimize.throughput: the time that is paid for sets how many pictures are asked about, within bounds."""

import numpy as np
import pytest

from foveal.optimize import throughput
from foveal.optimize.throughput import answered_in


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class Network:
    """A network that needs a millisecond a picture, and a second more for its first call."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.calls = clock, 0

    def logits(self, images):
        self.clock.seconds += 0.001 * len(images) + (self.calls == 0)
        self.calls += 1


@pytest.mark.parametrize(("seconds", "count"), [(0.1, 100), (0.001, 20), (60.0, 300), (0.0, 20)])
@pytest.mark.parametrize("there", [1, 7, 500])
def test_as_many_as_there_is_time_for(monkeypatch, seconds, count, there) -> None:
    clock = Clock()
    monkeypatch.setattr(throughput, "time", clock)
    images = np.zeros((there, 4, 4, 3), np.uint8)

    found = answered_in(seconds, Network(clock), images, at_least=20, at_most=300)

    assert found == pytest.approx(count, abs=1)
