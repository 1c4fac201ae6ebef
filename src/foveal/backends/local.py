"""The backend that is always there: worker processes of this machine, and nothing of an extra."""

import platform
from collections.abc import Iterable, Iterator, Mapping

import foveal
from foveal.backends._group import Group, task_of
from foveal.backends._pool import Pool, three_attempts
from foveal.core.errors import UsageError
from foveal.core.machine import usable_cpus, versions
from foveal.core.work import Backend, Json, Lost, Node, Receipt, Resources, Task

_ONE_CPU = Resources()


def local() -> Backend:
    """Return a backend whose workers are processes of this machine.

    They speak JSON over pipes and end with us, however we end. Start and use it in a thread that lives as
    long as the work: on Linux the workers end with the thread that started them.
    """
    return _Local()


class _Local:
    name = "local"

    def __init__(self) -> None:
        self._running: list[Pool | Group] = []

    def map(
        self,
        tasks: Iterable[Task],
        *,
        init: Task | None = None,
        workers: int,
        resources: Resources = _ONE_CPU,
        lost: Lost | None = None,
    ) -> Iterator[Receipt]:
        """Yield one receipt for each task; see `Backend.map`."""
        if workers < 1:
            raise UsageError(f"workers is at least 1; got {workers}")
        return self._map(tasks, Pool(workers, resources, init, lost or three_attempts))

    def _map(self, tasks: Iterable[Task], pool: Pool) -> Iterator[Receipt]:
        self._running.append(pool)
        try:
            yield from pool.run(tasks)
        finally:
            pool.kill()
            self._running.remove(pool)

    def group(
        self,
        entry: str,
        spec: Mapping[str, Json],
        *,
        world: int,
        resources: Resources = _ONE_CPU,
        max_restarts: int = 3,
    ) -> Receipt:
        """Return how the first rank ended; see `Backend.group`.

        Where a rank raises what is none of our errors, or a TemporaryError, all begin again, too: it may have
        been told so by the end of another one.
        """
        if world < 1:
            raise UsageError(f"world is at least 1; got {world}")
        group = Group(task_of(entry, spec), world, resources)
        self._running.append(group)
        try:
            return group.run(max_restarts)
        finally:
            self._running.remove(group)

    def describe(self) -> list[Node]:
        """Return this machine."""
        found = {name: said for name, said in versions("onnxruntime").items() if said is not None}
        told = {"python": platform.python_version(), "foveal": foveal.__version__, **found}
        return [Node(platform.node(), float(usable_cpus()), told)]

    def close(self) -> None:
        """End what still runs."""
        for running in self._running:
            running.kill()
