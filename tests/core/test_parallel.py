"""core.parallel: in order, only as far ahead as agreed, and tidy at every way to end."""

import itertools
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.parallel import as_they_come, in_order


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("piece")]


@given(st.lists(st.integers()), st.integers(1, 5))
def test_results_come_in_the_order_of_the_work(work, workers) -> None:
    assert list(in_order(str, work, workers=workers, name="piece")) == [str(piece) for piece in work]


def test_slow_first_piece_does_not_change_the_order() -> None:
    others = threading.Event()

    def slow_first(piece: int) -> int:
        if piece == 0:
            assert others.wait(30)
        elif piece == 3:
            others.set()
        return piece

    assert list(in_order(slow_first, range(20), workers=2, name="piece")) == list(range(20))


@pytest.mark.parametrize("workers", [1, 3])
def test_work_is_taken_only_as_it_is_needed(workers) -> None:
    taken = itertools.count()
    work = iter(lambda: next(taken), 100_000)

    results = in_order(lambda piece: piece, work, workers=workers, name="piece")

    assert list(itertools.islice(results, 50)) == list(range(50))
    assert next(taken) <= 50 + 5 * workers


def test_reader_that_stops_leaves_no_thread_and_drops_what_was_waiting() -> None:
    done, gate = [], threading.Event()

    def work(piece: int) -> int:
        if piece > 0:
            assert gate.wait(30)
        done.append(piece)
        return piece

    results = in_order(work, itertools.count(), workers=2, name="piece")
    assert next(results) == 0
    gate.set()
    results.close()

    assert not threads()
    assert len(done) < 20


def test_exception_reaches_the_reader_and_ends_it() -> None:
    results = in_order(lambda piece: 1 // piece, [1, 1, 0, 1], workers=2, name="piece")

    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError, match="by zero"):
        next(results)
    assert not threads()


def test_exception_of_the_work_itself_reaches_the_reader() -> None:
    results = in_order(str, (int(text) for text in ["1", "x"]), workers=2, name="piece")

    with pytest.raises(ValueError, match="invalid literal"):
        list(results)
    assert not threads()


@given(st.lists(st.integers()), st.integers(1, 5))
def test_groups_hold_every_piece_in_its_order_and_no_more_than_allowed(work, most) -> None:
    groups = list(as_they_come(work, most=most, name="piece"))

    assert [piece for group in groups for piece in group] == work
    assert all(1 <= len(group) <= most for group in groups)


def test_one_piece_is_handed_out_while_the_next_is_not_there() -> None:
    gate = threading.Event()

    def work() -> Iterator[int]:
        for piece in range(3):
            yield piece
            assert gate.wait(30)
            gate.clear()

    groups = as_they_come(work(), most=5, name="piece")

    for piece in range(3):
        assert next(groups) == [piece]
        gate.set()
    assert list(groups) == []


def test_pieces_are_read_only_a_few_ahead_and_a_reader_that_stops_ends_it() -> None:
    taken = itertools.count()
    groups = as_they_come(iter(lambda: next(taken), -1), most=4, name="piece")

    assert next(groups)[0] == 0
    groups.close()
    for thread in threads():
        thread.join(30)

    assert not threads()
    assert next(taken) < 20


def test_exception_of_the_pieces_comes_behind_those_before_it() -> None:
    groups = as_they_come((int(text) for text in ["1", "2", "x"]), most=9, name="piece")
    found: list[int] = []

    with pytest.raises(ValueError, match="invalid literal"):
        found.extend(piece for group in groups for piece in group)
    assert found == [1, 2]
