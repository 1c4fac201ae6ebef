"""What a backend promises: it runs named functions on plain values somewhere, and says how each ended.

Only an entry (`module:function`) and a JSON object go out, and a JSON object comes back: never pictures,
tensors or closures. Work may be begun more than once, wherever a process or a machine is lost; whoever gives
it out decides by a ledger of its own what counts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from foveal.core import errors
from foveal.core.errors import FovealError

Json = Any
"""What JSON knows: None, bool, int, float, str, list, dict."""


# One for each exit code. A missing extra makes its message itself; DeviceError exits with the same.
_KINDS: tuple[type[FovealError], ...] = (
    errors.UsageError,
    errors.DataError,
    errors.NotFoundError,
    errors.DeviceError,
    errors.WriteError,
    errors.TemporaryError,
    errors.RecipeError,
)


@dataclass(frozen=True)
class Task:
    """One piece of work.

    Attributes:
        key: Its name among those of one call of `map`.
        entry: `module:function`. The function is called with `spec`, and with what the `init` of this worker
            returned where there is one; it returns a JSON object.
        spec: What it works on.
        attempt: Which one this is, from 1.
    """

    key: str
    entry: str
    spec: Mapping[str, Json]
    attempt: int = 1


@dataclass(frozen=True)
class Receipt:
    """How a piece of work ended.

    Attributes:
        key: Of the task.
        outcome: `done`: the function returned; `failed`: it raised; `lost`: the worker died each time, or was
            given up.
        attempt: Which attempt ended so.
        node: Name of the machine, and number of the process.
        detail: What the function returned; else `{"code", "message", "hint", "path"}` of the error.
    """

    key: str
    outcome: Literal["done", "failed", "lost"]
    attempt: int
    node: str
    detail: Mapping[str, Json] = field(default_factory=dict)

    @property
    def error(self) -> FovealError:
        """What the function raised, where the outcome is `failed`."""
        return rebuilt(self.detail)


@dataclass(frozen=True)
class Resources:
    """What one worker takes.

    Attributes:
        cpus: Processors.
        memory_bytes: None: not said.
    """

    cpus: float = 1
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Node:
    """A machine.

    Attributes:
        name: Its name or address.
        cpus: Processors that may be used.
        versions: Of Python, foveal and the engine.
    """

    name: str
    cpus: float
    versions: Mapping[str, str]


Lost = Callable[[Task], Task | None]
"""Asked when the worker of a task died: what to try next, or None to give it up."""


class Backend(Protocol):
    """Where work runs. Nothing of it may be used after `close`."""

    @property
    def name(self) -> str:
        """Name of its file in this folder."""
        ...

    def map(
        self,
        tasks: Iterable[Task],
        *,
        init: Task | None = None,
        workers: int,
        resources: Resources = Resources(),
        lost: Lost | None = None,
    ) -> Iterator[Receipt]:
        """Yield one receipt for each task, as they end; a few tasks a worker are begun ahead.

        Args:
            tasks: Taken as they are needed, from the thread that reads the receipts.
            init: Run once in each worker before its first task, such as to load a model.
            workers: How many at most.
            resources: Of each.
            lost: Called, from the thread that reads the receipts, when a worker died over a task; None: three
                attempts. The number of the attempt is counted on here.

        Raises:
            TemporaryError: No worker comes up (`no_worker`).
            FovealError: `init` raised it.
        """
        ...

    def group(
        self,
        entry: str,
        spec: Mapping[str, Json],
        *,
        world: int,
        resources: Resources = Resources(),
        max_restarts: int = 3,
    ) -> Receipt:
        """Run a function in `world` processes at once that find each other, as `torchrun` starts them.

        Each has RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT in its
        environment. Where one is lost, all are begun again, at most `max_restarts` times: the function itself
        goes on from what it saved.

        Returns:
            What the first rank's function returned.
        """
        ...

    def describe(self) -> list[Node]:
        """Return the machines that work may run on."""
        ...

    def close(self) -> None:
        """End all workers, and let go of everything."""
        ...


def rebuilt(told: Mapping[str, Json]) -> FovealError:
    """Return the error that `problem` told of, of the class that has its exit code; else a FovealError."""
    kind = next((kind for kind in _KINDS if kind.exit_code == told.get("exit_code")), FovealError)
    return kind(str(told.get("message")), code=told.get("code"), hint=told.get("hint"), path=told.get("path"))
