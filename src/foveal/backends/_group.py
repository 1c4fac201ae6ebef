"""A group of processes of this machine that work as one, and begin again together."""

import math
import selectors
import socket
import time
from collections.abc import Mapping
from typing import Any

from foveal.backends._process import Process
from foveal.core.errors import TemporaryError
from foveal.core.work import Json, Receipt, Resources, Task

_KEY = "group"
_HOST = "127.0.0.1"
_LOOK_S = 1.0  # as in `_pool`
_GRACE_S, _POLL_S = 20.0, 0.05
_TELL_S = 5.0  # that the other ranks have to say what they know, after the first has ended badly
_FOLLOWING, _FINAL = 1, 2


class Group:
    """The processes of one `group`."""

    def __init__(self, task: Task, world: int, resources: Resources) -> None:
        self._task, self._world, self._resources = task, world, resources
        self._ranks: list[Process] = []

    def run(self, max_restarts: int) -> Receipt:
        """Return how it ended; see `Backend.group`."""
        for attempt in range(1, max_restarts + 2):
            receipt = self._attempt(attempt)
            if not _is_worth_another(receipt):
                break
        return receipt

    def kill(self) -> None:
        """End all processes at once."""
        while self._ranks:
            self._ranks.pop().kill()

    def _attempt(self, attempt: int) -> Receipt:
        """Run all ranks; the first that raises or dies ends the others."""
        port = _free_port()
        try:
            self._ranks = [
                Process(self._resources, _environment(rank, self._world, port)) for rank in range(self._world)
            ]
            for process in self._ranks:
                process.init(None)
                process.give(self._task)
            return self._wait(attempt)
        except Exception:
            raise
        except BaseException:  # Ctrl-C or SIGTERM: what can be saved is
            self._let_save()
            raise
        finally:
            self.kill()

    def _let_save(self) -> None:
        """Give all processes as long as a step may take to end by themselves."""
        for process in self._ranks:
            process.ask_to_end()
        until = time.monotonic() + _GRACE_S
        while time.monotonic() < until and not all(process.ended for process in self._ranks):
            for process in self._ranks:  # or one that has much to say would wait for us
                list(process.heard())
            time.sleep(_POLL_S)

    def _wait(self, attempt: int) -> Receipt:
        returned: dict[int, dict[str, Any]] = {}
        until = math.inf
        with selectors.DefaultSelector() as selector:
            for rank, process in enumerate(self._ranks):
                selector.register(process, selectors.EVENT_READ, rank)
            while len(returned) < self._world:
                selector.select(_LOOK_S)
                gone = {rank for rank, process in enumerate(self._ranks) if process.ended}
                # All are heard before any is judged: where one dies, others raise because of that.
                for rank, process in enumerate(self._ranks):
                    for message in process.heard():
                        if message["event"] == "ended":
                            returned[rank] = message
                failed = [m["detail"] for m in returned.values() if m["outcome"] == "failed"]
                if not failed and gone <= returned.keys():
                    continue
                now = time.monotonic()
                until = min(until, now + _TELL_S)
                worst = max(failed, key=_weight, default=None)
                told_all = len(returned.keys() | gone) == self._world
                if told_all or now >= until or (worst and _weight(worst) == _FINAL):
                    died = not gone <= returned.keys()
                    if worst is None or (died and _weight(worst) == _FOLLOWING):  # one that misses the dead
                        return Receipt(_KEY, "lost", attempt, self._ranks[0].node)
                    return Receipt(_KEY, "failed", attempt, self._ranks[0].node, worst)
                # What a rank makes of another's end may arrive before that other has said why.
                time.sleep(_POLL_S)
        return Receipt(_KEY, "done", attempt, self._ranks[0].node, returned[0]["detail"])


def _weight(detail: Mapping[str, Json]) -> int:
    """Return how much an error says of what went wrong; what another attempt would not mend says most."""
    if detail["exit_code"] is None:
        return 0
    return _FOLLOWING if detail["exit_code"] == TemporaryError.exit_code else _FINAL


def _is_worth_another(receipt: Receipt) -> bool:
    """Return whether another attempt may end otherwise: our own errors say that it would not."""
    if receipt.outcome == "failed":
        return _weight(receipt.detail) < _FINAL
    return receipt.outcome == "lost"


def _environment(rank: int, world: int, port: int) -> Mapping[str, str]:
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": _HOST,
        "MASTER_PORT": str(port),
    }


def _free_port() -> int:
    """Return a port that nobody listens on; another program may still take it, and then all begin again."""
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        port: int = listener.getsockname()[1]
    return port


def task_of(entry: str, spec: Mapping[str, Json]) -> Task:
    """Return what each process is given."""
    return Task(_KEY, entry, spec)
