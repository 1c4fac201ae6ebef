"""Many pieces of work on a few threads, without losing their order or filling the memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")

_AHEAD = 4  # pieces a thread may be ahead of the slowest one: what bounds the memory


def in_order(
    function: Callable[[Work], Result], work: Iterable[Work], *, workers: int, name: str
) -> Iterator[Result]:
    """Yield `function(piece)` for each piece of `work`, in their order, as soon as it is known.

    Work is taken as it is needed, from the thread that reads the results, and never more than a few
    pieces ahead. An exception ends it; a reader that stops early leaves no thread behind.

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
