"""bundle.quick_turns: known times are found, whatever holds up single calls or the whole machine."""

import numpy as np
import pytest

from foveal.bundle import quick_turns as module
from foveal.bundle.quick_turns import quick_turns

IMAGES = np.zeros((1, 6, 6, 4), np.uint8)


class Clock:
    """Goes on by what sessions say they take, so that other work on this machine changes nothing."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def perf_counter(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


class Takes:
    """A session that takes a known time; every so many calls it is held up by other work."""

    def __init__(self, clock: Clock, seconds: float, *, held_up_every: int = 10**9) -> None:
        self.clock, self.seconds, self.held_up_every, self.calls = clock, seconds, held_up_every, 0

    def run(self, images):
        self.calls += 1
        self.clock.seconds += self.seconds + (0.01 if self.calls % self.held_up_every == 0 else 0)


@pytest.mark.parametrize("every", [10**9, 5])
def test_times_are_found_whatever_holds_up_single_calls(clock, every) -> None:
    sessions = [Takes(clock, seconds, held_up_every=every) for seconds in (0.004, 0.001, 0.002)]

    assert quick_turns(sessions, IMAGES, seconds=0.3) == pytest.approx((0.004, 0.001, 0.002), rel=1e-6)


@pytest.mark.parametrize(("call", "seconds"), [(1e-3, 0.5), (1e-3, 1e-6), (5e-5, 0.2), (1e-6, 3.0)])
def test_it_takes_about_the_time_it_is_given_and_each_session_at_least_ten_calls(
    clock, call, seconds
) -> None:
    one, other = Takes(clock, call), Takes(clock, 2 * call)

    quick_turns([one, other], IMAGES, seconds=seconds)

    warming = 2 * 0.005 + 9 * call
    assert clock.seconds <= seconds + warming + 10 * 3 * call
    assert min(one.calls, other.calls) >= 12
