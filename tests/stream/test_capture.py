"""The place between reader and recognizer: nothing is lost uncounted, and the newest is the newest."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.core.errors import DataError
from foveal.stream.capture import Capture
from foveal.stream.shot import Shot


def shot(number: int) -> Shot:
    return Shot(float(number), float(number), lambda: b"")


class Hand:
    """A source that gives pictures only when it is told to, one after the other."""

    def __init__(self) -> None:
        self.may = threading.Semaphore(0)
        self.given = 0
        self.over = False

    def shots(self):
        while True:
            self.may.acquire()
            if self.over:
                return
            self.given += 1
            yield shot(self.given - 1)

    def give(self, capture: Capture) -> None:
        self.may.release()
        while capture.captured < self.given or self.given == 0:
            time.sleep(0.0005)

    def end(self) -> None:
        self.over = True
        self.may.release()


@settings(max_examples=40)
@given(st.lists(st.booleans(), max_size=30))
def test_what_is_shown_and_what_is_dropped_are_together_what_was_captured(steps) -> None:
    """True: the source has a picture; False: somebody takes one."""
    hand, stop = Hand(), threading.Event()
    capture = Capture(hand.shots(), newest_wins=True, stop=stop)
    shown, newest, given = [], None, 0
    for is_new in steps:
        if is_new:
            hand.may.release()
            given += 1
            while capture.captured < given:
                time.sleep(0.0002)
            newest = given - 1
        else:
            frame = capture.take(0)
            assert (None if frame is None else frame.index) == newest
            shown += [] if frame is None else [frame.index]
            newest = None
        waiting = newest is not None
        assert len(shown) + capture.dropped + waiting == capture.captured
    hand.end()
    capture.close()

    assert shown == sorted(set(shown))
    assert len(shown) + capture.dropped == capture.captured == given


@settings(max_examples=20)
@given(st.integers(0, 40))
def test_of_a_film_every_frame_comes_in_order_however_slowly_it_is_taken(count) -> None:
    capture = Capture((shot(i) for i in range(count)), newest_wins=False, stop=threading.Event())
    taken = []
    while not capture.ended:
        if (frame := capture.take(60)) is not None:
            taken.append(frame.index)
    capture.close()

    assert taken == list(range(count))
    assert capture.dropped == 0


def test_a_film_is_not_read_further_ahead_than_a_few_frames() -> None:
    read = []

    def shots():
        for index in range(1000):
            read.append(index)
            yield shot(index)

    capture = Capture(shots(), newest_wins=False, stop=threading.Event())
    assert capture.take(60) is not None
    capture.close()

    assert len(read) < 10
    assert capture.dropped + 1 == capture.captured


def test_what_ends_the_source_is_raised_after_the_last_picture() -> None:
    def shots():
        yield shot(0)
        raise DataError("it is broken")

    capture = Capture(shots(), newest_wins=True, stop=threading.Event())

    assert capture.take(60).index == 0
    with pytest.raises(DataError, match="it is broken"):
        capture.take(60)
    capture.close()


def test_a_source_is_closed_by_the_thread_that_read_it() -> None:
    threads = []

    def shots():
        try:
            while True:
                yield shot(0)
        finally:
            threads.append(threading.current_thread().name)

    capture = Capture(shots(), newest_wins=True, stop=threading.Event())
    assert capture.take(60) is not None
    capture.close()

    assert threads == ["foveal-capture"]
