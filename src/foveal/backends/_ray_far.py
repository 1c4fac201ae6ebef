"""What runs on the workers of a Ray cluster; JSON text goes in and comes out, and nothing is raised."""

import json
import os
import platform
from typing import Any

import foveal
from foveal.backends import _calling
from foveal.core.machine import versions as installed
from foveal.core.work import Json


def versions() -> dict[str, str]:
    """Return what has to be the same on all machines."""
    return {
        "python": platform.python_version(),
        "foveal": foveal.__version__,
        "ray": installed("ray")["ray"] or "missing",
    }


def here() -> str:
    """Return the name of this machine and the number of this process."""
    return f"{platform.node()}:{os.getpid()}"


def look() -> str:
    """Return the versions of a node."""
    return json.dumps(versions())


class FarWorker:
    """One worker of a `map`; `begin` is called once, first."""

    def __init__(self) -> None:
        self._state: list[Any] = []  # what `init` returned, if there was one

    def begin(self, init: str) -> str:
        """Carry out `init`, `{"entry", "spec"}` or null; return what is here, and the `problem` or null."""
        told: dict[str, Json] = {"node": here(), "versions": versions(), "problem": None}
        wanted = json.loads(init)
        if wanted is not None:
            try:
                self._state = [_calling.function(wanted["entry"])(wanted["spec"])]
            except Exception as error:
                told["problem"] = _calling.problem(error)
        return json.dumps(told)

    def work(self, task: str) -> str:
        """Carry out `{"entry", "spec"}`; return `{"outcome", "detail"}`."""
        return _ended(json.loads(task), self._state)


def _ended(task: dict[str, Json], state: list[Any]) -> str:
    try:
        detail = _calling.function(task["entry"])(task["spec"], *state)
        return json.dumps({"outcome": "done", "detail": detail}, allow_nan=False)
    except Exception as error:
        return json.dumps({"outcome": "failed", "detail": _calling.problem(error)})


class Record:
    """How a group is getting on: kept outside of its ranks, which may be begun again and again."""

    def __init__(self) -> None:
        self._told: dict[str, Json] = {
            "attempt": 0,
            "node": "",
            "outcome": "lost",
            "detail": {},
            "over": False,
        }

    def begin(self, rank: int, node: str) -> bool:
        """Note that a rank begins; return whether all is over, and it should not."""
        if rank == 0 and not self._told["over"]:
            self._told.update(attempt=self._told["attempt"] + 1, node=node, outcome="lost", detail={})
        return bool(self._told["over"])

    def end(self, outcome: str, detail: str, over: bool) -> None:
        """Note how a rank ended: an error of ours says more than what the other ranks make of it."""
        if self._told["over"]:
            return
        if over or self._told["outcome"] == "lost":
            self._told.update(outcome=outcome, detail=json.loads(detail), over=over)

    def told(self) -> str:
        """Return `{"attempt", "node", "outcome", "detail", "over"}`."""
        return json.dumps(self._told)
