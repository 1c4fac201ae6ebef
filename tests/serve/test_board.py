"""Memory that processes share."""

import os
import time

import pytest

from foveal.serve.board import SILENT, TEXT_BYTES, Board, State


def seated(board: Board) -> None:
    for seat in board.seats:
        seat.sit(1000 + seat.number)
        seat.set("state", State.READY)


def test_every_seat_has_words_and_numbers_of_its_own() -> None:
    board = Board(3, numbers=5, texts=1)
    seated(board)
    for seat in board.seats:
        for place in range(5):
            seat.numbers[place] += seat.number + place / 10
        seat.set("queued", 10**seat.number)

    assert [list(seat.numbers) for seat in board.seats] == [
        [number + place / 10 for place in range(5)] for number in range(3)
    ]
    assert board.total("queued") == 111
    assert [seat.get("pid") for seat in board.seats] == [1000, 1001, 1002]
    assert list(board.complaints()) == []


def test_what_a_child_writes_is_read_by_all() -> None:
    board = Board(2, numbers=1, texts=1)
    pid = os.fork()
    if pid == 0:
        board.seats[1].sit(os.getpid())
        board.seats[1].numbers[0] += 2.5
        os._exit(0)
    os.waitpid(pid, 0)

    assert board.seats[1].get("pid") == pid
    assert board.seats[1].numbers[0] == 2.5


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("state", State.DEAD, "worker 1 is dead"),
        ("state", State.STARTING, "worker 1 is starting"),
        ("state", State.DRAINING, "worker 1 is draining"),
        ("golden", 0, "worker 1 no longer computes what was measured at sealing"),
        ("beat", 0, "worker 1 has been silent"),
    ],
)
def test_one_bad_worker_is_a_complaint_of_the_whole(field: str, value: int, said: str) -> None:
    board = Board(2, numbers=1, texts=1)
    seated(board)
    board.seats[1].set(field, value)

    [complaint] = board.complaints()
    assert complaint.startswith(said)


def test_silence_is_counted_from_the_last_beat() -> None:
    board = Board(1, numbers=1, texts=1)
    seated(board)
    board.seats[0].set("beat", time.monotonic_ns() - int((SILENT + 1) * 1e9))
    assert list(board.complaints())
    board.seats[0].beat()
    assert not list(board.complaints())


def test_a_text_is_read_whole_while_another_process_replaces_it() -> None:
    board = Board(1, numbers=1, texts=2)
    assert board.read_text(1) == b""
    writer = os.fork()
    if writer == 0:
        for length in list(range(1, 3000)) * 2:
            board.write_text(1, b"%d" % (length % 10) * length)
        os._exit(0)
    seen = set()
    while os.waitpid(writer, os.WNOHANG) == (0, 0):
        text = board.read_text(1)
        assert text == text[:1] * len(text)
        assert not text or int(text[:1]) == len(text) % 10  # none: it was replaced as often as we tried
        seen.add(len(text))
    assert len(seen) > 1
    assert len(board.read_text(1)) == 2999
    assert board.read_text(0) == b""


def test_a_text_that_has_no_room_is_refused_and_the_old_one_stays() -> None:
    board = Board(1, numbers=1, texts=1)
    board.write_text(0, b"old")
    with pytest.raises(ValueError, match="more than a document may have"):
        board.write_text(0, bytes(TEXT_BYTES))
    assert board.read_text(0) == b"old"


def test_who_takes_a_seat_counts_on_and_has_no_requests_of_its_predecessor() -> None:
    board = Board(1, numbers=2, texts=1)
    seated(board)
    [seat] = board.seats
    seat.numbers[0] = 7.0
    seat.set("in_flight", 3)
    seat.set("restarts", 2)
    seat.sit(5)

    assert (seat.numbers[0], seat.get("in_flight"), seat.get("restarts")) == (7.0, 0, 2)
    assert State(seat.get("state")) is State.STARTING
