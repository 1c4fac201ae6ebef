"""Tasks on worker processes of this machine, whatever becomes of the workers."""

import selectors
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from foveal.backends._process import Process
from foveal.core.errors import TemporaryError
from foveal.core.work import Lost, Receipt, Resources, Task, rebuilt

_AHEAD = 2  # tasks that a worker holds: one that runs, and one so that it never waits for us
_ATTEMPTS = 3  # where nobody is asked
_FRUITLESS = 3  # workers in a row that die before they begin anything
_LOOK_S = 1.0  # how often to look for workers whose end nobody hears of, as children of theirs hold the pipe


def three_attempts(task: Task) -> Task | None:
    """Return the task until it has been tried three times."""
    return task if task.attempt < _ATTEMPTS else None


@dataclass(eq=False)
class _Worker:
    process: Process
    tasks: deque[Task] = field(default_factory=deque)  # given to it, in their order
    started: bool = False  # the first of them


class Pool:
    """The workers of one `map`."""

    def __init__(self, workers: int, resources: Resources, init: Task | None, lost: Lost) -> None:
        self._most, self._resources, self._init, self._lost = workers, resources, init, lost
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        self._again: deque[Task] = deque()  # to be given out before any other
        self._fruitless = 0

    def run(self, tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Yield the receipts of all tasks; see `Backend.map`."""
        source = iter(tasks)
        while True:
            self._give_out(source)
            if not any(worker.tasks for worker in self._workers):
                break
            for key, _ in self._selector.select(_LOOK_S):
                yield from self._hear(key.data)
            for worker in [w for w in self._workers if w.process.ended]:
                yield from self._hear(worker)
                yield from self._bury(worker)
        while self._workers:
            self._workers.pop().process.dismiss()

    def kill(self) -> None:
        """End all workers at once."""
        while self._workers:
            self._workers.pop().process.kill()
        self._selector.close()

    def _give_out(self, source: Iterator[Task]) -> None:
        while worker := self._free():
            task = self._again.popleft() if self._again else next(source, None)
            if task is None:
                return
            if worker.tasks and len(self._workers) < self._most:
                worker = self._start()
            worker.tasks.append(task)
            worker.process.give(task)

    def _free(self) -> _Worker | None:
        """Return the worker with the least to do, unless all have enough."""
        if not self._workers:
            return self._start()
        worker = min(self._workers, key=lambda worker: len(worker.tasks))
        return worker if len(worker.tasks) < _AHEAD or len(self._workers) < self._most else None

    def _start(self) -> _Worker:
        worker = _Worker(Process(self._resources))
        worker.process.init(self._init)
        self._workers.append(worker)
        self._selector.register(worker.process, selectors.EVENT_READ, worker)
        return worker

    def _hear(self, worker: _Worker) -> Iterator[Receipt]:
        for message in worker.process.heard():
            match message["event"]:
                case "refused":
                    raise rebuilt(message["problem"])
                case "started":
                    worker.started, self._fruitless = True, 0
                case "ended":
                    yield self._ended(worker, message)

    def _ended(self, worker: _Worker, message: dict[str, Any]) -> Receipt:
        task = worker.tasks.popleft()
        worker.started = False
        return Receipt(task.key, message["outcome"], task.attempt, worker.process.node, message["detail"])

    def _bury(self, worker: _Worker) -> Iterator[Receipt]:
        self._selector.unregister(worker.process)
        self._workers.remove(worker)
        worker.process.kill()
        if worker.started:
            task = worker.tasks.popleft()
            again = self._lost(task)
            if again is None:
                yield Receipt(task.key, "lost", task.attempt, worker.process.node)
            else:
                self._again.append(replace(again, attempt=task.attempt + 1))
        elif (count := self._fruitless + 1) == _FRUITLESS:
            raise TemporaryError(
                f"{count} worker processes in a row died before they began anything",
                code="no_worker",
                hint="what they said is above; memory may be short: try fewer workers",
            )
        else:
            self._fruitless = count
        self._again.extend(worker.tasks)
