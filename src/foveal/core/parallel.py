"""Many pieces of work on a few threads, without losing their order or filling the memory."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")

_AHEAD = 4  # pieces a thread may be ahead of the slowest one: what bounds the memory


def in_order(
    function: Callable[[Work], Result], work: Iterable[Work], *, workers: int, name: str
) -> Iterator[Result]:
    """Yield `function(piece)` for each piece of `work`, in their order.

    Work is taken as it is needed, from the thread that reads the results, and never more than a few
    pieces ahead. With several workers a result waits until the next piece is there, or the end: where pieces
    come slowly, see `as_they_come`. An exception ends it; a reader that stops early leaves no thread behind.

    Args:
        function: Called from several threads at once; with one worker from the reader's own.
        work: May be endless.
        workers: How many threads.
        name: What the threads are called.
    """
    if workers == 1:
        yield from map(function, work)
        return
    from concurrent.futures import Future, ThreadPoolExecutor  # one picture should not wait for its import

    running: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, name) as pool:
        try:
            for piece in work:
                running.append(pool.submit(function, piece))
                while running and (running[0].done() or len(running) > workers * _AHEAD):
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def as_they_come(work: Iterable[Work], *, most: int, name: str) -> Iterator[list[Work]]:
    """Yield the pieces that are there in groups of 1 to `most`, and wait only where there is none.

    For work from somebody who may wait for one result before giving the next piece. A thread of its own takes
    it, up to `most` pieces ahead. An exception of the work is raised after the pieces before it. A reader
    that stops early leaves the thread behind until the next piece comes, or the program ends.

    Args:
        work: May be endless.
        most: Pieces of a group, at least 1.
        name: What the thread is called.
    """
    from queue import Empty, Queue  # one picture should not wait for their import
    from threading import Event, Thread

    arrived: Queue[Work | _End] = Queue(most)
    stopped = Event()

    def take() -> None:
        end = _End(None)
        try:
            for piece in work:
                arrived.put(piece)
                if stopped.is_set():
                    return
        except BaseException as error:  # raised again where the groups are read
            end = _End(error)
        arrived.put(end)

    Thread(target=take, name=name, daemon=True).start()
    end = None
    try:
        while end is None:
            group: list[Work] = []
            while len(group) < most and end is None:
                try:
                    piece = arrived.get(block=not group)
                except Empty:
                    break
                if isinstance(piece, _End):
                    end = piece
                else:
                    group.append(piece)
            if group:
                yield group
    finally:
        stopped.set()
        with contextlib.suppress(Empty):  # the thread may be waiting for room
            while True:
                arrived.get_nowait()
    if end.error is not None:
        raise end.error


class _End(NamedTuple):
    """Comes behind the last piece."""

    error: BaseException | None
