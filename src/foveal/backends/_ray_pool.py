"""Tasks on the actors of a Ray cluster, whatever becomes of actors and nodes.

`engine` is the module `ray`; only `ray.py` imports it.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from foveal.backends._ray_far import FarWorker, versions
from foveal.core.errors import TemporaryError, UsageError
from foveal.core.work import Json, Lost, Receipt, Resources, Task, rebuilt

# Tasks that a worker holds. With a second one, who killed it would be a guess: what a task answers just
# before the next one kills its worker may never arrive, and the wrong one would be blamed, and given up.
_AHEAD = 1
_FRUITLESS = 3  # workers in a row that die before they are ready
_LOOK_S = 1.0  # how often to look for signals, and for nodes that came
_IMPOSSIBLE_S = (
    3.0  # without any worker, where no node is large enough: nodes that just joined come up by then
)
_BUSY_S = 60.0  # without any worker, where there is a large enough node: it may be busy, or slow to start

Cpus = Callable[[], Sequence[float]]
"""Tells the processors of each node that is alive."""


@dataclass(eq=False)
class _Actor:
    handle: Any
    beginning: Any  # reference to what `begin` returns; None: it is ready
    node: str = ""
    tasks: deque[tuple[Any, Task]] = field(default_factory=deque)  # with their references, in their order


class RayPool:
    """The actors of one `map`."""

    def __init__(
        self, engine: Any, cpus: Cpus, workers: int, resources: Resources, init: Task | None
    ) -> None:
        self._engine, self._cpus, self._most, self._resources = engine, cpus, workers, resources
        self._init = json.dumps(init and {"entry": init.entry, "spec": init.spec})
        self._actors: list[_Actor] = []
        self._again: deque[Task] = deque()  # to be given out before any other
        self._fruitless = 0
        self._idle_since = time.monotonic()
        failures = engine.exceptions
        # An actor that died while it was made, that is gone, or whose node or memory is.
        self._deaths = (
            failures.RayActorError,
            failures.WorkerCrashedError,
            failures.NodeDiedError,
            failures.OutOfMemoryError,
            failures.ObjectLostError,
        )

    def run(self, tasks: Iterable[Task], lost: Lost) -> Iterator[Receipt]:
        """Yield the receipts of all tasks; see `Backend.map`."""
        source, waiting = iter(tasks), deque[Task]()
        while True:
            self._give_out(source, waiting)
            if not waiting and not self._again and not any(actor.tasks for actor in self._actors):
                return
            self._check_there_is_one()
            for actor in self._ready():
                try:
                    yield from self._hear(actor)
                except self._deaths:
                    yield from self._bury(actor, lost)

    def kill(self) -> None:
        """End all actors at once."""
        while self._actors:
            self._engine.kill(self._actors.pop().handle)

    def _give_out(self, source: Iterator[Task], waiting: "deque[Task]") -> None:
        """Give tasks to actors that are ready; one that has to be placed first never holds any."""
        while True:
            task = (
                self._again.popleft() if self._again else waiting.popleft() if waiting else next(source, None)
            )
            if task is None:
                return
            alive = [actor for actor in self._actors if actor.beginning is None]
            actor = min(alive, key=lambda actor: len(actor.tasks), default=None)
            if (actor is None or actor.tasks) and len(self._actors) < self._most:
                self._start()
            if actor is None or len(actor.tasks) >= _AHEAD:
                waiting.appendleft(task)
                return
            text = json.dumps({"entry": task.entry, "spec": task.spec}, allow_nan=False)
            actor.tasks.append((actor.handle.work.remote(text), task))

    def _start(self) -> None:
        options: dict[str, Json] = {"num_cpus": self._resources.cpus, "scheduling_strategy": "SPREAD"}
        if self._resources.memory_bytes is not None:
            options["memory"] = self._resources.memory_bytes
        # Not restarted by Ray: after a node died it may have nowhere to go, and its tasks would wait for it.
        handle = self._engine.remote(FarWorker).options(max_restarts=0, **options).remote()
        self._actors.append(_Actor(handle, handle.begin.remote(self._init)))

    def _ready(self) -> list[_Actor]:
        """Return the actors that have something to tell, after waiting a little for one."""
        next_of = {
            actor.beginning or actor.tasks[0][0]: actor
            for actor in self._actors
            if actor.beginning or actor.tasks
        }
        told, _ = self._engine.wait(list(next_of), num_returns=1, timeout=_LOOK_S)
        return [next_of[reference] for reference in told]

    def _hear(self, actor: _Actor) -> Iterator[Receipt]:
        if actor.beginning is not None:
            told = json.loads(self._engine.get(actor.beginning))
            check_versions({told["node"]: told["versions"]})
            if told["problem"] is not None:
                raise rebuilt(told["problem"])
            actor.beginning, actor.node, self._fruitless = None, told["node"], 0
            return
        reference, task = actor.tasks[0]
        told = json.loads(self._engine.get(reference))
        actor.tasks.popleft()
        yield Receipt(task.key, told["outcome"], task.attempt, actor.node, told["detail"])

    def _bury(self, actor: _Actor, lost: Lost) -> Iterator[Receipt]:
        self._actors.remove(actor)
        self._idle_since = time.monotonic()
        if actor.beginning is not None:
            self._fruitless += 1
            if self._fruitless >= _FRUITLESS:
                raise TemporaryError(
                    f"{self._fruitless} workers in a row died before they began anything",
                    code="no_worker",
                    hint="what they said is in Ray's logs; memory may be short: try fewer workers",
                )
            return
        _, task = actor.tasks.popleft()  # they are done in their order: this is the one it was at
        again = lost(task)
        if again is None:
            yield Receipt(task.key, "lost", task.attempt, actor.node)
        else:
            self._again.append(replace(again, attempt=task.attempt + 1))
        self._again.extend(task for _, task in actor.tasks)

    def _check_there_is_one(self) -> None:
        """Refuse to wait for ever for a worker that no node has room for.

        Raises:
            TemporaryError: `no_worker`.
        """
        if any(actor.beginning is None for actor in self._actors):
            self._idle_since = time.monotonic()
            return
        nodes, needed = self._cpus(), self._resources.cpus
        waited = time.monotonic() - self._idle_since
        if waited > (_BUSY_S if max(nodes, default=0.0) >= needed else _IMPOSSIBLE_S):
            raise no_room(1, needed, nodes)


def no_room(workers: int, cpus: float, nodes: Sequence[float]) -> TemporaryError:
    """Return the error for workers that could not be placed, which says what is missing."""
    has = ", ".join(f"{count:g}" for count in nodes) or "none"
    return TemporaryError(
        f"the cluster has no room for {workers} worker{'s' * (workers > 1)} of {cpus:g} processors each: "
        f"its nodes have {has}",
        code="no_worker",
        hint="wait until other work has ended, add nodes, or ask for less; ray status says what is taken",
    )


def check_versions(nodes: dict[str, dict[str, str]]) -> None:
    """Refuse machines with other versions than here: they may answer otherwise.

    Raises:
        UsageError: `other_versions`.
    """
    own = versions()
    other = {
        node: [f"{name} {told.get(name)}" for name in own if told.get(name) != own[name]]
        for node, told in nodes.items()
    }
    said = "; ".join(f"{node} has {', '.join(names)}" for node, names in other.items() if names)
    if said:
        wanted = ", ".join(f"{name} {version}" for name, version in own.items())
        raise UsageError(
            f"{said}; here it is {wanted}",
            code="other_versions",
            hint="install the same versions on all machines, and begin again",
        )
