"""bundle.turns: what does more work takes longer, whichever comes first; all take as many turns."""

import hashlib
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from foveal.bundle import timing
from foveal.bundle import turns as turns_module
from foveal.bundle.turns import Lane, take_turns

PICTURE = np.zeros((1, 8, 8, 3), dtype=np.uint8)


class Works:
    """Multiplies matrices of one side, so many times."""

    def __init__(self, times: int) -> None:
        self.times, self.matrix, self.calls = times, np.eye(64, dtype=np.float32), 0

    def ask(self, images):
        self.calls += 1
        for _ in range(self.times):
            self.matrix = self.matrix @ self.matrix
        return SimpleNamespace(probabilities=np.ones((len(images), 1), np.float32))


def lane(times: int, threads: int = 1) -> Lane:
    return Lane(Works(times), Works(times), threads, (PICTURE,))


@pytest.mark.parametrize("order", [(1, 200), (200, 1)])
def test_the_slower_one_is_found_in_either_order(order) -> None:
    turns = take_turns([lane(times) for times in order], seconds=0.3)

    light, heavy = (turns.times[order.index(times)] for times in (1, 200))
    found = timing.compare(heavy, light)
    assert found.real
    assert found.ratio.low > np.log(5)


def test_a_turn_of_all_under_both_names_makes_a_round() -> None:
    lanes = [lane(1), lane(3)]

    turns = take_turns(lanes, seconds=0.1)

    assert turns.rounds >= timing.LEAST_ROUNDS
    for one, times in zip(lanes, turns.times, strict=True):
        assert len(times.first) == len(times.twin) == turns.rounds
        assert one.first.calls > times.first.size, "warmed before it was timed"
        assert one.twin.calls > times.twin.size
        assert (times.first > 0).all()


def test_processor_time_is_only_told_of_what_one_thread_ran() -> None:
    assert take_turns([lane(1, threads=2)], seconds=0.05).processor_share is None
    assert 0 < take_turns([lane(1)], seconds=0.05).processor_share <= 1


def test_processor_time_is_that_of_each_lane_whatever_else_runs() -> None:
    lanes = [lane(1), lane(200)]

    turns = take_turns(lanes, seconds=0.3)

    light, heavy = turns.processor
    assert light.shape == heavy.shape == (turns.rounds,)
    assert (light > 0).all()
    assert np.median(heavy) > 5 * np.median(light)
    wall = turns.times[1].of_rounds
    assert np.median(heavy) < 2 * np.median(wall), "one thread uses no more than the time that passes"


def test_all_threads_of_an_answer_count() -> None:
    class Both:
        """Keeps two threads busy that need no interpreter lock."""

        def __init__(self) -> None:
            self.bytes = bytes(2_000_000)

        def ask(self, images):
            helpers = [threading.Thread(target=hashlib.sha256, args=(self.bytes,)) for _ in range(2)]
            for one in helpers:
                one.start()
            for one in helpers:
                one.join()
            return SimpleNamespace(probabilities=np.ones((len(images), 1), np.float32))

    class One(Both):
        def ask(self, images):
            hashlib.sha256(self.bytes)
            return SimpleNamespace(probabilities=np.ones((len(images), 1), np.float32))

    lanes = [Lane(one(), one(), 1, (PICTURE,)) for one in (One, Both)]

    single, double = take_turns(lanes, seconds=0.2).processor

    assert 1.5 < np.median(double) / np.median(single) < 3


def test_a_clock_that_is_too_coarse_says_nothing(monkeypatch) -> None:
    coarse = SimpleNamespace(resolution=0.0156)
    monkeypatch.setattr(turns_module.time, "get_clock_info", lambda _: coarse)

    assert take_turns([lane(1)], seconds=0.05).processor is None
